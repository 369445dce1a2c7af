//! How much memory and disk this machine used at most while specs ran.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often is looked; a look costs microseconds.
const EVERY: Duration = Duration::from_secs(1);

/// What was used at the start, and at most, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// When the first look was taken.
    pub start: u64,
    /// The most of all looks.
    pub peak: u64,
}

impl Mark {
    fn at(start: u64) -> Self {
        Self { start, peak: start }
    }

    /// What came on top of the start.
    #[must_use]
    pub fn rise(self) -> u64 {
        self.peak - self.start
    }
}

/// The high-water marks of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// Memory of the machine that is not available.
    pub memory: Mark,
    /// Bytes in use on the file system the engine keeps its data on.
    pub disk: Mark,
}

/// Looks now and then until it is asked for what it saw.
#[derive(Debug)]
pub struct Gauge {
    task: JoinHandle<()>,
    seen: watch::Receiver<Option<Marks>>,
}

impl Gauge {
    /// Starts looking at memory, and at the file system that holds `folder`. Must be called within a runtime.
    #[must_use]
    pub fn start(folder: Utf8PathBuf) -> Self {
        let (sender, seen) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                let Some((memory, disk)) = look(&folder) else {
                    return;
                };
                sender.send_modify(|marks| *marks = Some(raised(*marks, memory, disk)));
            }
        });
        Self { task, seen }
    }

    /// What was seen; nothing where the machine does not tell.
    #[must_use]
    pub fn stop(self) -> Option<Marks> {
        self.task.abort();
        *self.seen.borrow()
    }
}

fn raised(marks: Option<Marks>, memory: u64, disk: u64) -> Marks {
    let mut marks = marks.unwrap_or(Marks {
        memory: Mark::at(memory),
        disk: Mark::at(disk),
    });
    marks.memory.peak = marks.memory.peak.max(memory);
    marks.disk.peak = marks.disk.peak.max(disk);
    marks
}

/// Memory and disk in use.
fn look(folder: &Utf8Path) -> Option<(u64, u64)> {
    let memory = in_use(&fs_err::read_to_string("/proc/meminfo").ok()?)?;
    let disk = rustix::fs::statvfs(folder.as_std_path()).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    Some((memory, used.saturating_mul(disk.f_frsize)))
}

fn in_use(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib << 10)
    };
    Some(field("MemTotal:")?.saturating_sub(field("MemAvailable:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_and_starts_do_not_move() {
        let marks = [(5, 50), (9, 40), (7, 60)]
            .into_iter()
            .fold(None, |marks, (memory, disk)| {
                Some(raised(marks, memory, disk))
            })
            .unwrap();
        assert_eq!(marks.memory, Mark { start: 5, peak: 9 });
        assert_eq!(
            marks.disk,
            Mark {
                start: 50,
                peak: 60
            }
        );
        assert_eq!((marks.memory.rise(), marks.disk.rise()), (4, 10));
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let text = "MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   60 kB\n";
        assert_eq!(in_use(text), Some(40 << 10));
        assert_eq!(in_use("MemTotal: 9 kB\n"), None);
    }

    #[tokio::test]
    async fn this_machine_uses_some_of_both() {
        let gauge = Gauge::start("/".into());
        let mut seen = gauge.seen.clone();
        seen.changed().await.unwrap();
        let marks = gauge.stop().unwrap();
        assert!(marks.memory.start > 1 << 20 && marks.disk.peak >= marks.disk.start);
        let nowhere = Gauge::start("/nowhere/at/all".into());
        let mut seen = nowhere.seen.clone();
        assert!(seen.changed().await.is_err());
        assert_eq!(nowhere.stop(), None);
    }
}
