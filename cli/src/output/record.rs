//! Every event, one JSON document per line, so that reports can be made again later.

use std::io::{BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::{Event, EventKind};

use super::hub::Reporter;

/// The record of a boot in a cluster's folder, or of a run in a report's.
pub(crate) fn events_file(folder: &Utf8Path) -> Utf8PathBuf {
    folder.join("events.jsonl")
}

/// Writes events to a file.
pub(crate) struct Record {
    file: BufWriter<fs_err::File>,
}

impl Record {
    /// Starts the file anew.
    pub(crate) fn create(path: &Utf8Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        Ok(Self {
            file: BufWriter::new(fs_err::File::create(path)?),
        })
    }

    /// The events of a file; lines that were cut off are left out.
    pub(crate) fn read(path: &Utf8Path) -> Vec<Event> {
        let text = fs_err::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl Reporter for Record {
    fn event(&mut self, event: &Event) {
        // A full disk must not stop a run; the terminal still shows everything.
        let _ = serde_json::to_writer(&mut self.file, event);
        let _ = self.file.write_all(b"\n");
        let milestone = !matches!(event.kind, EventKind::StepOutput { .. });
        if milestone {
            let _ = self.file.flush();
        }
    }

    fn finish(&mut self) {
        let _ = self.file.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_is_recorded_is_read_again_even_when_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path())
            .unwrap()
            .join("new/events.jsonl");
        let event = |text: &str| Event {
            at: Timestamp::UNIX_EPOCH,
            cell: None,
            kind: EventKind::Note {
                text: text.to_owned(),
            },
        };
        let mut record = Record::create(&path).unwrap();
        record.event(&event("one"));
        record.event(&event("two"));
        let cut = fs_err::read_to_string(&path).unwrap() + "{\"at\":";
        fs_err::write(&path, cut).unwrap();
        assert_eq!(Record::read(&path), [event("one"), event("two")]);
    }
}
