//! OCI layers and images, written as streams.

mod archive;
mod layer;
pub(crate) mod manifest;

pub use archive::ImageArchive;
pub(crate) use archive::{ImageConfig, image};
pub(crate) use layer::{Layer, Meter};
