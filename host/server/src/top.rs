//! The live view: what happens now, drawn for an operator at a terminal.
//!
//! It reads and changes nothing, by the functions of the other commands and the console. What is read ([`reader`], [`checker`], [`endpoint`]) becomes a
//! [`Model`], which is pure; [`view`] draws one, and knows nothing else. Every text in a model went through [`Text`].

mod checker;
mod endpoint;
mod exposition;
mod figures;
mod json;
mod live;
mod model;
mod reader;
#[cfg(test)]
mod sample;
mod screen;
mod text;
mod view;

pub(crate) use checker::Checker;
pub(crate) use endpoint::Endpoint;
pub(crate) use json::json;
pub(crate) use live::live;
pub(crate) use model::{Model, News};
pub(crate) use reader::Reader;
pub(crate) use text::{Lines, Text};
pub(crate) use view::{Theme, Ui, plain};
