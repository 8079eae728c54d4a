//! The plugin, from outside.
