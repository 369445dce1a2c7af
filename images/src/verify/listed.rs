//! What a source has: images, and where their layers are.

use std::path::Path;
use std::sync::Arc;

use super::problem::Problem;
use crate::oci::manifest::Platform;

/// One image of those that a reference stands for.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) declared: Option<Platform>,
    pub(crate) digest: String,
    /// Its configuration, or why that cannot be read.
    pub(crate) config: Result<Vec<u8>, Problem>,
    /// Where its layers are, the lowest first.
    pub(crate) layers: Vec<LayerRef>,
}

/// Where a layer's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum LayerRef {
    /// A part of a file.
    Slice {
        file: Arc<Path>,
        offset: u64,
        len: u64,
    },
    /// A blob of a registry.
    Blob { digest: String, size: u64 },
    /// The source does not have it.
    Missing(String),
}
