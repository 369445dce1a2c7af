//! Stamps events and hands them to everyone who follows them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kcluster_matrix::{CellId, Event, EventKind, Sink};

/// Follows events. Called one at a time, in order.
pub(crate) trait Reporter: Send {
    /// Takes one event.
    fn event(&mut self, event: &Event);

    /// No more will come: put away what moves on the screen.
    fn finish(&mut self) {}
}

/// The sink every executor gets. Clones are the same hub.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cell: Option<CellId>,
    reporters: Vec<Box<dyn Reporter>>,
    events: Vec<Event>,
}

impl Hub {
    /// Events from now on happen in `cell`.
    pub(crate) fn enter(&self, cell: CellId) {
        self.lock().cell = Some(cell);
    }

    /// Adds a reporter, which first gets what happened before it came.
    pub(crate) fn follow(&self, mut reporter: Box<dyn Reporter>) {
        let mut state = self.lock();
        for event in &state.events {
            reporter.event(event);
        }
        state.reporters.push(reporter);
    }

    /// Everything that has happened.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Tells all reporters that nothing more comes, and lets them go.
    pub(crate) fn finish(&self) {
        let reporters = std::mem::take(&mut self.lock().reporters);
        for mut reporter in reporters {
            reporter.finish();
        }
    }

    /// A reporter that panicked must not silence the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Hub {
    fn emit(&self, mut kind: EventKind) {
        if let EventKind::StepOutput { line, .. } = &mut kind {
            *line = redact(line);
        }
        let mut state = self.lock();
        let event = Event {
            at: Timestamp::now(),
            cell: state.cell.clone(),
            kind,
        };
        for reporter in &mut state.reporters {
            reporter.event(&event);
        }
        state.events.push(event);
    }
}

/// `line` without what would let its reader into the cluster: kubeadm prints bootstrap tokens
/// and certificate keys.
fn redact(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let token = bare.split_once('.').is_some_and(|(id, secret)| {
            let plain = |text: &str| {
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            id.len() == 6 && secret.len() == 16 && plain(id) && plain(secret)
        });
        let key = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        if token || key {
            word.replace(bare, "[redacted]")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    struct Send(Sender<String>);

    impl Reporter for Send {
        fn event(&mut self, event: &Event) {
            if let EventKind::Note { text } = &event.kind {
                self.0.send(text.clone()).unwrap();
            }
        }
    }

    #[test]
    fn tokens_and_keys_are_not_shown() {
        let line = format!(
            "join  --token abcdef.0123456789abcdef \\ --certificate-key {}",
            "0f".repeat(32)
        );
        assert_eq!(
            redact(&line),
            "join  --token [redacted] \\ --certificate-key [redacted]"
        );
        let harmless = "[init] Using Kubernetes version: v1.36.3 in 1.5 s";
        assert_eq!(redact(harmless), harmless);
    }

    #[test]
    fn late_followers_hear_what_they_missed() {
        let hub = Hub::default();
        let (sender, receiver) = channel();
        hub.note(&"one");
        hub.follow(Box::new(Send(sender)));
        hub.note(&"two");
        hub.finish();
        assert_eq!(receiver.iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(hub.events().len(), 2);
    }
}
