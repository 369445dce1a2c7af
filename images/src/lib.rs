//! What a node is made of: where Kubernetes comes from, how it is built, which Debian packages
//! and images go into a node, and how all of it becomes one image.
//!
//! Nothing here talks to a container engine, and nothing that is fetched is run, but for the
//! programs of this very machine that are built from checked sources.

mod builder;
mod cache;
mod catalogue;
mod command;
mod debian;
mod emulator;
mod error;
mod fetched;
mod git;
mod go;
mod node;
mod oci;
mod recipe;
mod registry;
mod source;
mod tree;
pub mod verify;

pub use builder::{Builder, Settings, host_arch};
pub use cache::{Cache, Listed, Pruned};
pub use catalogue::{default_version, known_versions};
pub use emulator::{EmulatorsImage, emulators_reference};
pub use error::{CommandFailed, Error, Result};
pub use fetched::sha256_of;
pub use git::{Repository, is_hash};
pub use node::{AddonImage, BuiltAddon, Made, NodeImage, NodeImageRequest, TESTS_LAYER, TestImage};
pub use oci::ImageArchive;
pub use registry::{login, push_index};
pub use source::{Download, HostTools, Source, marked_version};
