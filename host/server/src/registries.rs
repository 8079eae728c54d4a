//! Registries as the operator configured them: pull, publish, list and find, with a bar where a person watches.

use std::time::{Duration, Instant};

use casemate_registry::{Authority, Client, Credentials, Progress, Pulled, Pushed, Reference, Settings, Tag, Upload};
use casemate_signing::manifest::PluginId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use url::Url;

use crate::{command::Context, config::Config, exit::Failure, house::store};

/// A Docker configuration holds a few logins.
const MAX_CREDENTIALS: usize = 1 << 20;
/// A bundle of root certificates.
const MAX_ROOTS: usize = 1 << 20;
/// Less than this is over before a bar is seen.
const BAR_AFTER: Duration = Duration::from_millis(200);

/// Fetch a package. What comes is not believed.
pub(crate) fn pull(reference: &Reference, context: &Context, config: &Config) -> Result<Pulled, Failure> {
    let client = client(context, config)?;
    let bar = Bar::new(reference);
    let pulled = run(client.pull(reference, &mut |progress| bar.show(progress)))?;
    drop(bar);
    pulled.map_err(|error| refused(error.code(), &error))
}

/// Every tag of a repository.
pub(crate) fn tags(reference: &Reference, context: &Context, config: &Config) -> Result<Vec<Tag>, Failure> {
    let client = client(context, config)?;
    run(client.tags(reference))?.map_err(|error| refused(error.code(), &error))
}

/// Where a host says that it keeps a plugin.
pub(crate) fn find(host: &Authority, plugin: &PluginId, context: &Context, config: &Config) -> Result<Reference, Failure> {
    let client = client(context, config)?;
    run(client.locate(host, plugin))?.map_err(|error| refused(error.code(), &error))
}

/// Publish a package.
pub(crate) fn push(reference: &Reference, upload: Upload, context: &Context, config: &Config) -> Result<Pushed, Failure> {
    let client = client(context, config)?;
    run(client.push(reference, upload))?.map_err(|error| refused(error.code(), &error))
}

/// Fetch a small document that a person named by its URL.
pub(crate) fn fetch(url: &Url, cap: usize, context: &Context, config: &Config) -> Result<Vec<u8>, Failure> {
    let client = client(context, config)?;
    run(client.fetch(url, cap))?.map_err(|error| refused(error.code(), &error))
}

fn client(context: &Context, config: &Config) -> Result<Client, Failure> {
    let credentials = match &context.registry_credentials {
        Some(path) => match store::linked(path, MAX_CREDENTIALS)? {
            Some(bytes) => Credentials::from_docker_config(&bytes, path)
                .map_err(|error| Failure::invalid(format!("{}: {error}", error.code())))?,
            None => Credentials::default(),
        },
        None => Credentials::default(),
    };
    let roots = config.registries.values().filter_map(|registry| registry.ca.as_ref());
    let roots = roots.map(|path| store::file(path, MAX_ROOTS)).collect::<Result<_, _>>()?;
    let hosts = config.registries.iter().map(|(host, registry)| (host.clone(), registry.rule.clone())).collect();
    Client::new(Settings { credentials, roots, hosts, ..Settings::default() })
        .map_err(|error| Failure::invalid(format!("{}: {error}", error.code())))
}

/// What a registry did, or may not do: where it could have harmed, it is a refusal; else it did not work.
fn refused(code: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("{code}: {error}");
    let invalid = ["no-version", "no-tag", "fetch-url", "fetch-host"].contains(&code);
    let harm = [
        "address-",
        "realm-",
        "redirect",
        "digest-",
        "length-",
        "manifest-",
        "signature",
        "layer-",
        "page-",
        "upload-",
        "too-large",
        "not-signed",
    ];
    match code {
        _ if invalid => Failure::invalid(message),
        _ if harm.iter().any(|start| code.starts_with(start)) => Failure::denied(message),
        _ => Failure::failed(message),
    }
}

fn run<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// How far a download is; drawn where standard error is a terminal, and nowhere else.
struct Bar {
    bar: ProgressBar,
    begun: Instant,
}

impl Bar {
    fn new(reference: &Reference) -> Self {
        // Not drawn before its length is known: a bar of nothing looks like one that is done.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // The template is ours and parses; a bar without it would only be plainer.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg} {bar:24} {bytes} of {total_bytes}, {bytes_per_sec}") {
            bar.set_style(style);
        }
        bar.set_message(reference.to_string());
        Self { bar, begun: Instant::now() }
    }

    fn show(&self, Progress { done, total }: Progress) {
        if self.begun.elapsed() < BAR_AFTER {
            return;
        }
        if self.bar.length().is_none() {
            self.bar.set_length(total);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
