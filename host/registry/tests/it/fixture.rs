//! A registry in this process: honest by itself, and with any answer replaced.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use casemate_registry::{Client, Progress, PullError, Pulled, Reference, Settings};
use casemate_signing::Digest;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(crate) const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 a component, as far as a registry can tell";
pub(crate) const SIGNATURE: &[u8] = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","a":1}"#;

/// A request, as the registry saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn authorization(&self) -> Option<&str> {
        Some(self.headers.get(header::AUTHORIZATION)?.to_str().unwrap())
    }

    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }
}

type Fault = Box<dyn Fn(&Seen) -> Option<Response> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) blobs: BTreeMap<String, Bytes>,
    /// By tag and by digest.
    pub(crate) manifests: BTreeMap<String, (String, Bytes)>,
    pub(crate) referrers: bool,
    pub(crate) seen: Vec<Seen>,
    fault: Option<Fault>,
}

impl Store {
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = Digest::of(bytes).to_string();
        self.blobs.insert(digest.clone(), Bytes::copy_from_slice(bytes));
        digest
    }

    pub(crate) fn manifest(&mut self, tag: Option<&str>, media_type: &str, manifest: &Value) -> (String, usize) {
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::of(&bytes).to_string();
        let length = bytes.len();
        for name in [tag, Some(digest.as_str())].into_iter().flatten() {
            self.manifests.insert(name.to_owned(), (media_type.to_owned(), bytes.clone()));
        }
        (digest, length)
    }

    /// A package under `1.0.0`, with a change to its manifest.
    pub(crate) fn package(&mut self, change: impl FnOnce(&mut Value)) -> (String, usize) {
        let (config, component) = (self.blob(b"{}"), self.blob(COMPONENT));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": config, "size": 2 },
            "layers": [{ "mediaType": "application/wasm", "digest": component, "size": COMPONENT.len() }],
            "annotations": { "org.opencontainers.image.title": "x" }
        });
        change(&mut manifest);
        self.manifest(Some("1.0.0"), IMAGE, &manifest)
    }

    /// A signature over a package, with a change to its manifest.
    pub(crate) fn sign(&mut self, package: &(String, usize), bundle: &[u8], change: impl FnOnce(&mut Value)) {
        let (config, layer) = (self.blob(b"{}"), self.blob(bundle));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": BUNDLE,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
            "layers": [{ "mediaType": BUNDLE, "digest": layer, "size": bundle.len() }],
            "subject": { "mediaType": IMAGE, "digest": package.0, "size": package.1 }
        });
        change(&mut manifest);
        let (digest, size) = self.manifest(None, IMAGE, &manifest);
        let tag = fallback(&package.0);
        let mut index: Value = match self.manifests.get(&tag) {
            Some((_, index)) => serde_json::from_slice(index).unwrap(),
            None => json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }),
        };
        let artifact_type = manifest["artifactType"].clone();
        let descriptor = json!({ "mediaType": IMAGE, "digest": digest, "size": size, "artifactType": artifact_type });
        index["manifests"].as_array_mut().unwrap().push(descriptor);
        self.manifest(Some(&tag), INDEX, &index);
    }
}

pub(crate) fn fallback(digest: &str) -> String {
    digest.replace(':', "-")
}

#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) host: String,
    pub(crate) store: Arc<Mutex<Store>>,
}

impl Registry {
    /// Empty, with the referrers API.
    pub(crate) async fn empty() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let registry = Self { host, store: Arc::new(Mutex::new(Store { referrers: true, ..Store::default() })) };
        tokio::spawn(axum::serve(listener, registry.router()).into_future());
        registry
    }

    /// With one signed package.
    pub(crate) async fn new() -> Self {
        let registry = Self::empty().await;
        registry.change(|store| {
            let package = store.package(|_| ());
            store.sign(&package, SIGNATURE, |_| ());
        });
        registry
    }

    /// With an answer replaced.
    pub(crate) async fn with(fault: impl Fn(&Seen) -> Option<Response> + Send + Sync + 'static) -> Self {
        let registry = Self::new().await;
        registry.fault(fault);
        registry
    }

    pub(crate) fn fault(&self, fault: impl Fn(&Seen) -> Option<Response> + Send + Sync + 'static) {
        self.change(|store| store.fault = Some(Box::new(fault)));
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.store.lock().unwrap())
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(&self.store))
    }

    pub(crate) fn at(&self, version: &str) -> Reference {
        format!("oci://{}/acme/plugin{version}", self.host).parse().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.change(|store| store.seen.clone())
    }
}

/// Quick to lose patience.
pub(crate) fn settings() -> Settings {
    Settings { deadline: Duration::from_secs(3), stall: Duration::from_millis(700), ..Settings::default() }
}

pub(crate) async fn pull(reference: &Reference, settings: Settings) -> Result<Pulled, PullError> {
    Client::new(settings).unwrap().pull(reference, &mut |_: Progress| ()).await
}

/// `ok`, or the code of the refusal.
pub(crate) async fn code(registry: &Registry, settings: Settings) -> &'static str {
    match pull(&registry.at(":1.0.0"), settings).await {
        Ok(pulled) => {
            assert_eq!((pulled.component.as_slice(), pulled.bundles.as_slice()), (COMPONENT, &[SIGNATURE.to_vec()][..]));
            "ok"
        }
        Err(error) => {
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
            error.code()
        }
    }
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// Spaces, for ever.
pub(crate) fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 64 * 1024]))))
}

/// A byte at a time, for ever.
pub(crate) fn drip() -> Body {
    Body::from_stream(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    }))
}

/// Nothing, for ever.
pub(crate) fn silence() -> Body {
    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
}

/// A body without a length.
pub(crate) fn chunked(bytes: &[u8]) -> Body {
    Body::from_stream(stream::iter([Ok::<_, io::Error>(Bytes::copy_from_slice(bytes))]))
}

async fn answer(State(store): State<Arc<Mutex<Store>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: to_bytes(body, usize::MAX).await.unwrap(),
    };
    let mut store = store.lock().unwrap();
    store.seen.push(seen.clone());
    if let Some(response) = store.fault.as_ref().and_then(|fault| fault(&seen)) {
        return response;
    }
    honest(&mut store, &seen).unwrap_or_else(|| reply(404, &[], "{}"))
}

fn honest(store: &mut Store, seen: &Seen) -> Option<Response> {
    let path = seen.path.strip_prefix("/v2/acme/plugin/")?;
    let (kind, name) = path.split_once('/')?;
    let created = |headers: &[(&str, &str)]| Some(reply(201, headers, ""));
    match (seen.method.as_str(), kind) {
        ("GET" | "HEAD", "blobs") => {
            let blob = store.blobs.get(name)?.clone();
            Some(reply(
                200,
                &[("content-type", "application/octet-stream")],
                if seen.method == "GET" { blob } else { Bytes::new() },
            ))
        }
        ("POST", "blobs") => Some(reply(202, &[("location", "/v2/acme/plugin/blobs/uploads/7?_state=x%2By")], "")),
        ("PUT", "blobs") => {
            let digest = seen.query.strip_prefix("_state=x%2By&digest=sha256%3A")?;
            let stored = store.blob(&seen.body);
            assert_eq!(stored, format!("sha256:{digest}"));
            created(&[])
        }
        ("GET", "manifests") => {
            let (media_type, bytes) = store.manifests.get(name)?.clone();
            let digest = Digest::of(&bytes).to_string();
            Some(reply(200, &[("content-type", &media_type), ("docker-content-digest", &digest)], bytes))
        }
        ("PUT", "manifests") => {
            let manifest: Value = serde_json::from_slice(&seen.body).unwrap();
            let media_type = seen.headers[header::CONTENT_TYPE].to_str().unwrap();
            for layer in manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config")) {
                if !store.blobs.contains_key(layer["digest"].as_str().unwrap()) {
                    return Some(reply(400, &[], "MANIFEST_BLOB_UNKNOWN"));
                }
            }
            let digest = Digest::of(&seen.body).to_string();
            for key in [name, &digest] {
                store.manifests.insert(key.to_owned(), (media_type.to_owned(), seen.body.clone()));
            }
            match manifest["subject"]["digest"].as_str().filter(|_| store.referrers) {
                Some(subject) => created(&[("docker-content-digest", &digest), ("oci-subject", subject)]),
                None => created(&[("docker-content-digest", &digest)]),
            }
        }
        ("GET", "referrers") if store.referrers => {
            let of_subject = |(digest, (_, bytes)): (&String, &(String, Bytes))| {
                let manifest: Value = serde_json::from_slice(bytes).ok()?;
                let about = manifest["subject"]["digest"] == *name && digest.starts_with("sha256:");
                about.then(|| json!({ "mediaType": IMAGE, "digest": digest, "size": bytes.len(), "artifactType": manifest["artifactType"] }))
            };
            let manifests: Vec<Value> = store.manifests.iter().filter_map(of_subject).collect();
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
            Some(reply(200, &[("content-type", INDEX)], index.to_string()))
        }
        ("GET", "tags") => {
            let tags: Vec<&String> = store.manifests.keys().filter(|name| !name.contains(':')).collect();
            Some(reply(200, &[("content-type", "application/json")], json!({ "name": "acme/plugin", "tags": tags }).to_string()))
        }
        _ => None,
    }
}

/// 401, and how to log in.
pub(crate) fn unauthorized(challenge: &str) -> Response {
    reply(StatusCode::UNAUTHORIZED.as_u16(), &[("www-authenticate", challenge)], "")
}
