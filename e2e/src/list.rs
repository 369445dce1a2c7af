//! Which specs a selection means, by `e2e.test`'s own account.
//!
//! A dry run with a JSON report takes about 1.6 s and is the one way that gives full names, labels
//! and the effect of ginkgo's own filters (`--list-tests` knows no labels and filters nothing).

use std::process::Stdio;

use crate::error::{E2eError, tail};
use crate::ginkgo::{Report, SpecReport, State};
use crate::selection::{Selection, Which, escape};
use crate::tools::{self, Tools};

mod suggest;

/// Linux takes at most 128 KiB in one argument.
const LONGEST_ARGUMENT: usize = 96 << 10;

/// One spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Its full name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
}

impl Spec {
    /// The special interest group that owns it, as `sig-…`; what reports class it by.
    #[must_use]
    pub fn class(&self) -> &str {
        class(&self.name, &self.labels)
    }

    /// Whether it must run alone.
    #[must_use]
    pub fn is_serial(&self) -> bool {
        self.labels.iter().any(|label| label == "Serial")
    }
}

/// The `sig-…` in a spec's name or labels, or `e2e`.
pub(crate) fn class<'a>(name: &'a str, labels: &'a [String]) -> &'a str {
    let in_name = name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map(|(sig, _)| sig)
        .filter(|sig| sig.starts_with("sig-"));
    in_name
        .or_else(|| {
            labels
                .iter()
                .map(String::as_str)
                .find(|l| l.starts_with("sig-"))
        })
        .unwrap_or("e2e")
}

/// The specs that are meant, ordered by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecList {
    /// The specs.
    pub specs: Vec<Spec>,
    /// All specs the binary holds.
    pub total: usize,
    suite: String,
    selection: Selection,
    /// Whether labels alone select exactly these.
    by_labels: bool,
}

impl SpecList {
    /// The specs `selection` means, from a dry run's report with its label, focus and skip filters.
    ///
    /// # Errors
    /// When there are none, with what may have been meant.
    pub fn from_report(report: &Report, selection: &Selection) -> Result<Self, E2eError> {
        let named = |name: &str| {
            let part = selection.substring.as_deref();
            part.is_none_or(|part| name.contains(part))
        };
        let spec = |report: &SpecReport| Spec {
            name: report.name(),
            labels: report.labels(),
        };
        let mut specs: Vec<Spec> = report
            .specs()
            .filter(|spec| spec.state == State::Passed)
            .map(spec)
            .filter(|spec| named(&spec.name))
            .collect();
        // Ginkgo shuffles even a dry run.
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let total = report.specs().count();
        if specs.is_empty() {
            let all: Vec<Spec> = report.specs().map(spec).collect();
            return Err(E2eError::NoMatch {
                selection: selection.describe(),
                total,
                hint: suggest::hint(&all, selection),
            });
        }
        Ok(Self {
            specs,
            total,
            suite: report.suite_description.clone(),
            selection: selection.clone(),
            by_labels: !selection.is_narrowed(),
        })
    }

    /// Those of these specs that `keep` keeps: a shard, or what failed last time.
    #[must_use]
    pub fn only(&self, mut keep: impl FnMut(&Spec) -> bool) -> Self {
        let specs: Vec<Spec> = self
            .specs
            .iter()
            .filter(|spec| keep(spec))
            .cloned()
            .collect();
        Self {
            by_labels: self.by_labels && specs.len() == self.specs.len(),
            specs,
            ..self.clone()
        }
    }

    /// Of these specs, those that may run beside others, or those that may not.
    #[must_use]
    pub fn part(&self, which: Which) -> Self {
        let part = |spec: &Spec| match which {
            Which::Parallel => !spec.is_serial(),
            Which::Serial => spec.is_serial(),
            Which::All => true,
        };
        let mut list = self.only(part);
        // The label filter says as much.
        list.by_labels = self.by_labels;
        if which != Which::All {
            list.selection.which = which;
        }
        list
    }

    /// How many specs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The names, one a line, as written to `list.txt`.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.specs
            .iter()
            .map(|spec| format!("{}\n", spec.name))
            .collect()
    }

    /// Ginkgo's flags that select exactly these specs: the label filter, and unless that says it
    /// all, every name in full. So what runs cannot differ from the list, however it was made.
    #[must_use]
    pub fn ginkgo_flags(&self) -> Vec<String> {
        let mut flags = vec![format!("--label-filter={}", self.selection.label_filter())];
        if self.by_labels {
            return flags;
        }
        let mut names = self.specs.iter().map(|spec| escape(&spec.name)).peekable();
        while names.peek().is_some() {
            let mut regex = format!("^{} (", escape(&self.suite));
            let mut separator = "";
            while let Some(name) = names
                .next_if(|name| separator.is_empty() || regex.len() + name.len() < LONGEST_ARGUMENT)
            {
                regex.push_str(separator);
                regex.push_str(&name);
                separator = "|";
            }
            regex.push_str(")$");
            flags.push(format!("--focus={regex}"));
        }
        flags
    }
}

/// Asks `e2e.test` which of its specs `selection` means. Needs no cluster.
///
/// # Errors
/// When it cannot be run, refuses the filters, or no spec matches.
pub async fn list(tools: &Tools, selection: &Selection) -> Result<SpecList, E2eError> {
    let folder = tempfile::tempdir().map_err(E2eError::io("cannot make a temporary folder"))?;
    let file = folder.path().join("list.json");
    let mut command = tools::command(&tools.e2e_test);
    command
        .args([
            "--provider=skeleton",
            "--ginkgo.dry-run",
            "--ginkgo.no-color",
        ])
        .arg("--ginkgo.silence-skips")
        .arg(format!("--ginkgo.json-report={}", file.display()))
        .arg(format!(
            "--ginkgo.label-filter={}",
            selection.label_filter()
        ))
        .args(
            selection
                .focus
                .iter()
                .map(|regex| format!("--ginkgo.focus={regex}")),
        )
        .args(
            selection
                .skip
                .iter()
                .map(|regex| format!("--ginkgo.skip={regex}")),
        )
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let pretty = tools::pretty(&command);
    let output = command.output().await.map_err(|source| E2eError::Spawn {
        command: pretty.clone(),
        source,
    })?;
    let bytes = match fs_err::read(&file) {
        Ok(bytes) if output.status.success() => bytes,
        _ => {
            let said = [output.stdout, output.stderr].concat();
            return Err(E2eError::List {
                selection: selection.describe(),
                reason: format!(
                    "{} ({})",
                    refusal(&String::from_utf8_lossy(&said)),
                    output.status
                ),
                command: pretty,
            });
        }
    };
    let report = Report::read(bytes.as_slice()).map_err(|source| E2eError::Report {
        path: "list.json".into(),
        source,
    })?;
    SpecList::from_report(&report, selection)
}

/// Of what `e2e.test` printed before it gave up, the lines that tell why: Go's regular
/// expressions end in a panic whose last lines are only a stack.
fn refusal(said: &str) -> String {
    said.lines()
        .find(|line| line.contains("error parsing regexp"))
        .map_or_else(
            || tail(said, 5),
            |line| line.trim_start_matches("panic: ").to_owned(),
        )
}

#[cfg(test)]
mod tests;
