//! Settings and where they come from.
//!
//! A [`Layer`] is what one place says: flags, variables or a file. Layers are laid over
//! each other without defaults, which come last, so every value of [`Settings`] knows its
//! [`Origin`]. All keys stand in one table, `keys.rs`; flags, variables, file keys, help,
//! `config show` and `config init` are made from it.

mod addons;
mod cluster;
mod error;
mod file;
mod flags;
mod host;
mod keys;
mod load;
mod matrix;
mod metadata;
mod mirrors;
mod patches;
mod per_node;
mod show;
mod table;
#[cfg(test)]
mod tests;
mod timeout;
mod value;
mod values;
mod variables;

pub(crate) use addons::is_address;
pub use addons::{AddonEntry, Addons};
pub use error::ConfigError;
pub use flags::{
    ClusterFlags, GlobalFlags, ImageFlags, MatrixFlags, NameFlag, ProductFlags, ReportFlag,
    SourceFlags, TestFlags,
};
pub use host::Host;
pub use keys::{KEYS, Layer, Settings};
pub use load::load;
pub use matrix::{Matrix, layer_of};
pub use mirrors::Mirrors;
pub use patches::Patches;
pub use per_node::PerNode;
pub use show::{as_json, as_toml, as_variables, template, variable_of_state_dir};
pub use table::{Group, Key, Origin};
pub use timeout::Timeout;
pub use values::{Auto, E2eImages, List, SourceKind, Table};
