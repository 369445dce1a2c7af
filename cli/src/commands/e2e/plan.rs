//! Which specs run, in which phases: decided before anything runs.

use std::collections::HashSet;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::engine::EngineInfo;
use kcluster_e2e::{Durations, Selection, SpecList, Which, capacity};
use kcluster_matrix::{Emulation, Shard, Suite};

use super::Args;
use crate::config::Settings;
use crate::error::Told;

/// Specs that run together.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) which: Which,
    pub(super) list: SpecList,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) phases: Vec<Phase>,
    /// What makes it less than all of conformance.
    pub(super) narrowed: Vec<String>,
    /// The part it is, and what decided the parts.
    pub(super) shard: Option<(Shard, String)>,
    /// The report whose failures it runs again.
    pub(super) rerun: Option<Utf8PathBuf>,
    /// Specs that failed there and are not known here.
    pub(super) unknown: Vec<String>,
}

impl Plan {
    /// The plan for `list`, which is what `selection` means.
    pub(super) fn new(
        list: &SpecList,
        selection: &Selection,
        earlier: Option<(Utf8PathBuf, Vec<String>)>,
        shard: Option<Shard>,
        durations: &Durations,
    ) -> Self {
        let mut list = list.clone();
        let (mut rerun, mut unknown) = (None, Vec::new());
        if let Some((folder, failed)) = earlier {
            let wanted: HashSet<&str> = failed.iter().map(String::as_str).collect();
            list = list.only(|spec| wanted.contains(spec.name.as_str()));
            let known: HashSet<&str> = list.specs.iter().map(|spec| spec.name.as_str()).collect();
            let gone = failed.iter().filter(|name| !known.contains(name.as_str()));
            unknown = gone.cloned().collect();
            rerun = Some(folder);
        }
        let shard = shard.map(|shard| {
            let table = durations.fingerprint(&list);
            list = durations.shard(&list, shard);
            (shard, table)
        });
        let whiches: &[Which] = match selection.which {
            Which::All => &[Which::Parallel, Which::Serial],
            Which::Parallel => &[Which::Parallel],
            Which::Serial => &[Which::Serial],
        };
        let phases = whiches.iter().map(|which| Phase {
            which: *which,
            list: list.part(*which),
        });
        let mut narrowed = selection.narrowings();
        // That it is a rerun says as much.
        if rerun.is_some() && selection.label_filter.as_deref() == Some("") {
            narrowed.pop();
        }
        // A part without specs is a part all the same, which those who put them together expect.
        let worth = |phase: &Phase| shard.is_some() || !phase.list.is_empty();
        Self {
            phases: phases.filter(worth).collect(),
            narrowed,
            shard,
            rerun,
            unknown,
        }
    }

    /// Where a phase's logs go: a folder of its own where there are several.
    pub(super) fn folder(&self, out: &Utf8Path, phase: &Phase) -> Utf8PathBuf {
        match (self.phases.len(), phase.which) {
            (0 | 1, _) | (_, Which::All) => out.to_owned(),
            (_, Which::Parallel) => out.join("parallel"),
            (_, Which::Serial) => out.join("serial"),
        }
    }
}

impl Args {
    pub(super) fn selection(&self, which: Which) -> Selection {
        // What failed is known by name, whatever its labels.
        let rerun = self.rerun_failed.is_some() && self.label_filter.is_none();
        Selection {
            which,
            substring: self.substring.clone(),
            focus: self.focus.clone(),
            skip: self.skip.clone(),
            label_filter: match rerun {
                true => Some(String::new()),
                false => self.label_filter.clone(),
            },
        }
    }
}

/// The specs of `list` that `file` names, all of which must be there.
pub(super) fn named(list: &SpecList, file: &Utf8Path) -> anyhow::Result<SpecList> {
    let text = fs_err::read_to_string(file).map_err(|error| Told::input(error.to_string()))?;
    let wanted: HashSet<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let list = list.only(|spec| wanted.contains(spec.name.as_str()));
    let known: HashSet<&str> = list.specs.iter().map(|spec| spec.name.as_str()).collect();
    let mut unknown: Vec<&str> = wanted.difference(&known).copied().collect();
    unknown.sort_unstable();
    match unknown.first() {
        Some(first) => Err(Told::input(format!(
            "{} of the specs that {file} names are not among those selected, such as `{first}`",
            unknown.len()
        ))
        .help("`cargo kcluster e2e --all --dry-run` shows names as this version has them")
        .into()),
        None if list.is_empty() => Err(Told::input(format!("{file} names no spec")).into()),
        None => Ok(list),
    }
}

/// Names of what did not pass, a boot's steps left out.
pub(super) fn failed(suites: &[Suite]) -> Vec<String> {
    suites
        .iter()
        .filter(|suite| suite.phase != "boot")
        .flat_map(|suite| &suite.cases)
        .filter(|case| case.outcome.severity() >= 2)
        // Suite-level nodes and our own remarks are no specs.
        .filter(|case| case.name.starts_with("[sig-"))
        .map(|case| case.name.clone())
        .collect()
}

/// As many processes as were asked for, or as the engine's machine carries.
pub(super) fn processes(
    settings: &Settings,
    info: &EngineInfo,
    emulation: Emulation,
    phase: &Phase,
) -> usize {
    // Specs that run alone run in one process; more would only cost memory.
    if phase.which == Which::Serial {
        return 1;
    }
    if let Some(given) = settings.processes.given() {
        return given.get();
    }
    let (cores, memory) = if info.local {
        capacity::here()
    } else {
        (usize::try_from(info.cpus).unwrap_or(1), info.memory)
    };
    capacity::processes(cores, memory, phase.list.len(), emulation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_e2e::ginkgo::Report;
    use kcluster_matrix::{Case, Outcome};
    use std::time::Duration;

    fn selection(which: Which) -> Selection {
        Selection {
            which,
            ..Selection::default()
        }
    }

    /// Seven specs that may run beside others and two that may not.
    fn list() -> SpecList {
        let json = include_bytes!("../../../../e2e/fixtures/list.json");
        let report = Report::read(json.as_slice()).unwrap();
        SpecList::from_report(&report, &selection(Which::All)).unwrap()
    }

    fn plan(earlier: Option<Vec<String>>, shard: Option<&str>) -> Plan {
        let earlier = earlier.map(|failed| ("out".into(), failed));
        let shard = shard.map(|shard| shard.parse().unwrap());
        let all = selection(Which::All);
        Plan::new(&list(), &all, earlier, shard, &Durations::default())
    }

    #[test]
    fn all_is_parallel_and_then_serial_each_by_labels_in_its_own_folder() {
        let plan = plan(None, None);
        let [parallel, serial] = &plan.phases[..] else {
            panic!("{plan:?}")
        };
        assert_eq!((parallel.list.len(), serial.list.len()), (7, 2));
        assert_eq!(parallel.which.phase(), "conformance");
        assert_eq!(serial.which.phase(), "conformance-serial");
        assert_eq!(
            serial.list.ginkgo_flags(),
            ["--label-filter=Conformance && Serial"]
        );
        assert_eq!(plan.folder("out".into(), serial), "out/serial");
        assert!(plan.narrowed.is_empty() && plan.shard.is_none());
    }

    #[test]
    fn shards_are_the_list_and_an_empty_one_is_a_phase() {
        let mut names: Vec<String> = Vec::new();
        for shard in ["1/4", "2/4", "3/4", "4/4"] {
            let plan = plan(None, Some(shard));
            assert_eq!(plan.phases.len(), 2, "{shard}");
            let lists = plan.phases.iter().map(|phase| &phase.list);
            names.extend(lists.flat_map(|list| list.specs.iter().map(|spec| spec.name.clone())));
        }
        names.sort();
        let all: Vec<String> = list().specs.into_iter().map(|spec| spec.name).collect();
        assert_eq!(names, all);
    }

    #[test]
    fn a_file_names_specs_that_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("specs");
        let name = list().specs[0].name.clone();
        fs_err::write(&file, format!("# mine\n\n{name}\n")).unwrap();
        let found = named(&list(), &file).unwrap();
        assert_eq!(found.to_text(), format!("{name}\n"));
        fs_err::write(&file, format!("{name}\n[sig-x] nowhere\n")).unwrap();
        let refused = named(&list(), &file).unwrap_err().to_string();
        assert!(refused.contains("[sig-x] nowhere"), "{refused}");
        fs_err::write(&file, "").unwrap();
        assert!(named(&list(), &file).is_err());
    }

    #[test]
    fn a_rerun_is_what_failed_and_is_still_there() {
        let case = |name: &str, outcome| Case {
            name: name.into(),
            class: "sig-x".into(),
            took: Duration::ZERO,
            outcome,
            attempts: 1,
            output: String::new(),
        };
        let no = || Outcome::Failed {
            message: "no".into(),
        };
        let serial = list().part(Which::Serial).specs[0].name.clone();
        let suite = |phase: &str, cases| Suite {
            name: "cell".into(),
            phase: phase.into(),
            host: "here".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            properties: Vec::new(),
            cases,
        };
        let suites = [
            suite("boot", vec![case("[sig-not] a step", no())]),
            suite(
                "conformance",
                vec![
                    case("[sig-x] passed", Outcome::Passed),
                    case("[sig-x] gone", no()),
                    case("[kcluster] ginkgo's totals", no()),
                    case(&serial, no()),
                ],
            ),
        ];
        let failed = failed(&suites);
        assert_eq!(failed, ["[sig-x] gone", &serial]);
        let plan = plan(Some(failed), None);
        assert_eq!(plan.unknown, ["[sig-x] gone"]);
        assert_eq!(plan.phases.len(), 1);
        assert_eq!(plan.phases[0].list.specs[0].name, serial);
        assert_eq!(plan.folder("out".into(), &plan.phases[0]), "out");
    }
}
