//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use kcluster_matrix::{Sink, exit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{self, Told};
use crate::output::Hub;

/// Listens until the process ends.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn listen(cancel: CancellationToken, hub: Hub) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            signals += 1;
            if signals == 1 {
                hub.warn(&"interrupted: cleaning up; a second signal leaves at once");
                cancel.cancel();
            } else {
                hub.warn(
                    &"left without cleaning up; `cargo kcluster clean` removes what is still there",
                );
                hub.finish();
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
        }
    });
    Ok(())
}

/// The result of work that a signal may have cut short: an interruption, whatever it broke.
pub(crate) fn or_interrupted<T>(
    result: anyhow::Result<T>,
    cancel: &CancellationToken,
) -> anyhow::Result<T> {
    result.map_err(|error| {
        if cancel.is_cancelled() && error::code(&error) != exit::INTERRUPTED {
            tracing::debug!("interrupted work ended with: {error:#}");
            Told::interrupted().into()
        } else {
            error
        }
    })
}
