//! What every command gets.

use std::sync::Arc;

use kcluster_matrix::Sink;
use tokio_util::sync::CancellationToken;

use crate::config::{Host, Settings};
use crate::interrupt;
use crate::output::{Hub, Printer, Record, terminal};

/// Settings, surroundings, outputs, and the wish to stop.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) host: Host,
    pub(crate) printer: Printer,
    pub(crate) hub: Hub,
    pub(crate) cancel: CancellationToken,
    /// Held while a node image is built and loaded, so that cells which begin together do it once.
    pub(crate) images: Arc<tokio::sync::Mutex<()>>,
}

impl Context {
    pub(crate) fn new(settings: Settings, host: Host, printer: Printer) -> Self {
        Self {
            settings,
            host,
            printer,
            hub: Hub::default(),
            cancel: CancellationToken::new(),
            images: Arc::default(),
        }
    }

    /// Shows events from here on, and turns signals into an orderly end.
    pub(crate) fn follow(&self) -> anyhow::Result<()> {
        self.hub
            .follow(terminal(&self.printer, self.settings.verbosity));
        interrupt::listen(self.cancel.clone(), self.hub.clone())
    }

    /// Records events to a file too; that it cannot is worth a warning, no more.
    pub(crate) fn record(&self, record: std::io::Result<Record>) {
        match record {
            Ok(record) => self.hub.follow(Box::new(record)),
            Err(error) => self.hub.warn(&format!("events are not recorded: {error}")),
        }
    }
}
