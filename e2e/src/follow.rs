//! Ginkgo's verbose output, line by line, into what is known so far.
//!
//! With `-v` ginkgo's command line prints one block per spec when it ends, from whatever process:
//! a line of dashes, a header (`• [FAILED] [1.234 seconds]`), the name, the place, and then all
//! that the spec printed, indented. Only lines that begin in the first column are ginkgo's own, so
//! nothing a spec prints can be taken for a verdict. With a single process the block begins with the
//! name, when the spec starts, and the header comes last; there a spec's raw standard output is
//! not indented, which can blur progress but not the verdict, as that is read from ginkgo's JSON
//! report.
//!
//! A process says which spec it is busy with only in a progress report, which ginkgo is asked to
//! make of each spec that takes long.

use std::collections::HashMap;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome};

use crate::list::{SpecList, class};

mod parse;

use parse::{Header, Verdict};

/// What a line revealed.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Ginkgo says how many specs it is about to run.
    Announced {
        /// Specs.
        specs: usize,
    },
    /// A spec started, or is known only now to be running.
    Running {
        /// Its full name.
        name: String,
        /// The process it runs in.
        process: usize,
    },
    /// A spec ended. Its output may have been cut; the report has all of it.
    Finished(Case),
    /// Set-up or clean-up of the whole suite failed.
    SuiteNodeFailed {
        /// Such as `SynchronizedBeforeSuite`.
        node: String,
        /// What it said.
        message: String,
    },
    /// Ginkgo's closing count.
    Summary(Tally),
}

/// Ginkgo's own closing count: "5 Passed | 3 Failed | 1 Flaked | 1 Pending | 3 Skipped".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed, the flaky ones included.
    pub passed: usize,
    /// Failed, panicked, timed out, interrupted or aborted.
    pub failed: usize,
    /// Passed only after a retry.
    pub flaked: usize,
    /// Left out by the filters, skipped by themselves, or not reached.
    pub skipped: usize,
}

/// More output of one spec than this is not kept while following.
const MOST_OUTPUT: usize = 256 << 10;

/// Follows the output of one run.
#[derive(Debug)]
pub struct Follower {
    names: HashMap<String, String>,
    block: Option<Block>,
    /// The next line is the first of a block.
    at_start: bool,
}

#[derive(Debug, Default)]
struct Block {
    header: Option<Header>,
    name: Option<String>,
    body: String,
}

impl Follower {
    /// A follower of a run of `list`.
    #[must_use]
    pub fn new(list: &SpecList) -> Self {
        let specs = list.specs.iter();
        Self {
            names: specs
                .map(|spec| (spec.name.clone(), spec.class().to_owned()))
                .collect(),
            block: None,
            at_start: false,
        }
    }

    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &str) -> Vec<Progress> {
        if line == parse::DELIMITER {
            let ended = self.close();
            self.at_start = true;
            self.block = Some(Block::default());
            return ended.into_iter().collect();
        }
        let first = std::mem::take(&mut self.at_start);
        if let Some(specs) = parse::announced(line) {
            return vec![Progress::Announced { specs }];
        }
        if let Some(tally) = parse::tally(line) {
            let ended = self.close();
            return ended
                .into_iter()
                .chain([Progress::Summary(tally)])
                .collect();
        }
        if let Some(running) = self.progress_report(line) {
            return vec![running];
        }
        let Some(block) = &mut self.block else {
            return Vec::new();
        };
        if block.header.is_none()
            && let Some(header) = parse::header(line)
        {
            block.header = Some(header);
            if block.name.is_none() {
                // What came before belongs to a progress report.
                block.body.clear();
            }
            return Vec::new();
        }
        if block.name.is_none() && !line.starts_with(' ') {
            let name = parse::name(line, |name| self.names.contains_key(name));
            if let Some(name) = &name {
                block.name = Some(name.clone());
                if first {
                    return vec![Progress::Running {
                        name: name.clone(),
                        process: 1,
                    }];
                }
            }
            return Vec::new();
        }
        if block.body.len() < MOST_OUTPUT {
            block.body.push_str(line.strip_prefix("  ").unwrap_or(line));
            block.body.push('\n');
        }
        Vec::new()
    }

    /// There will be no further line.
    pub fn end(&mut self) -> Option<Progress> {
        self.close()
    }

    fn close(&mut self) -> Option<Progress> {
        let Block { header, name, body } = self.block.take()?;
        let header = header?;
        if let Some(node) = header.suite_node {
            return (header.verdict == Verdict::Failed).then(|| Progress::SuiteNodeFailed {
                node,
                message: parse::message(&body),
            });
        }
        let name = name?;
        let outcome = match header.verdict {
            Verdict::Passed => Outcome::Passed,
            Verdict::Failed => Outcome::Failed {
                message: parse::message(&body),
            },
            Verdict::Errored => Outcome::Errored {
                message: parse::message(&body),
            },
            Verdict::Skipped => Outcome::Skipped {
                reason: parse::message(&body),
            },
        };
        let class = self.names.get(&name).cloned();
        Some(Progress::Finished(Case {
            class: class.unwrap_or_else(|| class_of(&name)),
            name,
            took: header.took,
            outcome,
            attempts: header.attempts,
            output: body,
        }))
    }

    /// Progress reports are indented blocks of their own; they name the process in one line and
    /// the spec two lines later.
    fn progress_report(&mut self, line: &str) -> Option<Progress> {
        let block = self.block.as_mut()?;
        if block.header.is_some() || block.name.is_some() {
            return None;
        }
        if let Some(process) = parse::report_process(line) {
            block.body = format!("{process}\n");
            return None;
        }
        let name = parse::report_name(line, |name| self.names.contains_key(name))?;
        let process = block.body.lines().next()?.parse().ok()?;
        Some(Progress::Running { name, process })
    }
}

fn class_of(name: &str) -> String {
    class(name, &[]).to_owned()
}

/// Seconds as ginkgo prints them.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests;
