use crate::{command::Context, config::Config, exit::Failure};
use casemate_registry::Reference;
pub(crate) struct Pulled {
    pub(crate) component: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
}
pub(crate) struct Pushed {
    pub(crate) digest: String,
    pub(crate) fallback_tag: bool,
}
pub(crate) fn pull(_: &Reference, _: &Context, _: &Config) -> Result<Pulled, Failure> {
    Err(Failure::failed("x"))
}
pub(crate) fn tags(_: &Reference, _: &Context, _: &Config) -> Result<Vec<String>, Failure> {
    Err(Failure::failed("x"))
}
pub(crate) fn push(_: &Reference, _: Vec<u8>, _: Vec<u8>, _: &Context, _: &Config) -> Result<Pushed, Failure> {
    Err(Failure::failed("x"))
}
