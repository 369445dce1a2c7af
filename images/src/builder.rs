//! Where builds happen: cache, settings, progress, and how many run at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kcluster_matrix::{Arch, Sink};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::go::Go;

/// What a user may set about building.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Mirror of the Debian archive; without it, the one the machine's own apt uses.
    pub debian_mirror: Option<String>,
    /// The Go command; without it, `go` from the path.
    pub go: Option<PathBuf>,
}

/// Builds what nodes are made of, each thing once.
pub struct Builder {
    pub(crate) cache: Cache,
    pub(crate) settings: Settings,
    pub(crate) sink: Arc<dyn Sink>,
    slots: Semaphore,
    go: OnceCell<Go>,
}

impl Builder {
    /// A builder that keeps its results in that cache and reports to that sink.
    #[must_use]
    pub fn new(cache: Cache, settings: Settings, sink: Arc<dyn Sink>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cache,
            settings,
            sink,
            // The Go compiler uses several cores itself.
            slots: Semaphore::new((cores / 2).max(1)),
            go: OnceCell::new(),
        }
    }

    /// The cache it was given.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Waits until another heavy build may run beside those that do.
    pub(crate) async fn slot(&self) -> SemaphorePermit<'_> {
        // The semaphore is never closed, so an error cannot come.
        loop {
            if let Ok(permit) = self.slots.acquire().await {
                return permit;
            }
        }
    }

    pub(crate) async fn go(&self) -> Result<&Go> {
        self.go
            .get_or_try_init(|| async {
                let command = self.settings.go.as_deref().unwrap_or(Path::new("go"));
                Go::find(command, self.cache.root()).await
            })
            .await
    }
}

/// The architecture of this machine.
///
/// # Errors
/// When it is none that Kubernetes is built for here.
pub fn host_arch() -> Result<Arch> {
    std::env::consts::ARCH
        .replace("powerpc64", "ppc64le")
        .parse::<Arch>()
        .map_err(Error::Unknown)
}
