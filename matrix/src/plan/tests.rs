//! Plans: every combination once, whatever the matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::arch::Arch;
use crate::cell::CellId;
use crate::cni::Cni;
use crate::platform::Emulation;
use crate::shard::Shard;
use crate::version::KubeVersion;

fn known() -> Vec<KubeVersion> {
    ["1.34.4", "1.35.4", "1.36.3", "1.37.1"]
        .map(|text| text.parse().unwrap())
        .to_vec()
}

fn resolve(release: &Release) -> Result<KubeVersion, String> {
    match release {
        Release::Request(request) => request.resolve(&known()).map_err(|error| error.to_string()),
        Release::Master => Err("master has no source here".to_owned()),
    }
}

fn emulation(arch: Arch) -> Result<Emulation, String> {
    match arch {
        Arch::Amd64 => Ok(Emulation::Native),
        Arch::Ppc64le => Err("no emulator".to_owned()),
        Arch::Arm64 | Arch::S390x => Ok(Emulation::Hybrid),
    }
}

fn suites() -> BTreeMap<String, SuiteSpec> {
    let shards = SuiteSpec {
        shards: Some(3),
        ..SuiteSpec::default()
    };
    [
        ("smoke".to_owned(), SuiteSpec::default()),
        ("long".to_owned(), shards),
    ]
    .into()
}

fn plan_in(spec: &MatrixSpec, order: Order, failed: &BTreeSet<CellId>) -> Plan {
    let costs = Costs {
        processes: 7,
        suites: [(
            "smoke".to_owned(),
            SuiteCost {
                work: Duration::from_secs(210),
                longest: Duration::from_secs(20),
                specs: 34,
            },
        )]
        .into(),
        ..Costs::default()
    };
    expand(
        spec,
        &World {
            resolve: &resolve,
            emulation: &emulation,
            costs: &costs,
            largest: None,
            failed,
            order,
            suites: &suites(),
        },
    )
}

fn plan_of(spec: &MatrixSpec) -> Plan {
    plan_in(spec, Order::CheapestFirst, &BTreeSet::new())
}

fn releases(texts: &[&str]) -> Vec<Release> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn base() -> MatrixSpec {
    MatrixSpec {
        axes: Axes {
            kubernetes: releases(&["1.35", "1.36"]),
            cni: vec![Cni::Bridge, Cni::Ptp],
            arch: vec![Arch::Amd64],
            nodes: vec![1],
            settings: BTreeMap::new(),
        },
        suites: vec!["smoke".to_owned()],
        ..MatrixSpec::default()
    }
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.cells.iter().map(|cell| cell.id.as_str()).collect()
}

#[test]
fn includes_take_the_first_value_of_what_they_do_not_name() {
    let mut spec = base();
    spec.include.push(Axes {
        kubernetes: releases(&["1.36"]),
        arch: vec![Arch::Arm64, Arch::S390x, Arch::Ppc64le],
        ..Axes::default()
    });
    let plan = plan_of(&spec);
    assert_eq!(
        ids(&plan),
        [
            "v1.35.4-bridge-amd64",
            "v1.35.4-ptp-amd64",
            "v1.36.3-bridge-amd64",
            "v1.36.3-ptp-amd64",
            "v1.36.3-bridge-arm64",
            "v1.36.3-bridge-s390x",
        ]
    );
    assert_eq!(plan.skipped.len(), 1);
    assert_eq!(plan.skipped[0].what, "1.36 × bridge × ppc64le");
    assert_eq!(plan.skipped[0].reason, "no emulator");
    // 210 s over 7 processes, the boot, the start of the suite and the end.
    assert_eq!(plan.cells[0].estimate.seconds, 9 + 5 + 30 + 3);
    assert!(plan.cells[5].estimate.seconds > 100);
}

#[test]
fn a_plugin_that_lacks_an_ip_family_is_left_out_with_the_reason() {
    let mut spec = base();
    spec.axes.cni = vec![Cni::Bridge, Cni::Flannel];
    let families = ["ipv4", "dual"].map(str::to_owned).to_vec();
    spec.axes.settings = [("ip-family".to_owned(), families)].into();
    let plan = plan_of(&spec);
    let reasons: Vec<&str> = plan
        .skipped
        .iter()
        .map(|skipped| skipped.reason.as_str())
        .collect();
    assert!(!plan.cells.is_empty() && !reasons.is_empty());
    assert!(
        reasons.iter().all(
            |reason| *reason == "flannel gives pods IPv4 addresses only, and ip-family is dual"
        ),
        "{reasons:?}"
    );
}

#[test]
fn excluded_doubled_and_unknown_cells_say_why() {
    let mut spec = base();
    spec.axes.kubernetes = releases(&["1.36", "latest-1", "1.36.3", "master", "1.99"]);
    spec.exclude.push(Exclude {
        which: Axes {
            kubernetes: releases(&["latest-1"]),
            cni: vec![Cni::Ptp],
            ..Axes::default()
        },
        reason: Some("known broken".into()),
    });
    let plan = plan_of(&spec);
    assert_eq!(ids(&plan), ["v1.36.3-bridge-amd64"]);
    let reasons: BTreeSet<&str> = plan
        .skipped
        .iter()
        .map(|skipped| skipped.reason.split(';').next().unwrap())
        .collect();
    assert_eq!(
        reasons,
        BTreeSet::from([
            "1.36.3 is the same version as 1.36",
            "excluded: known broken",
            "latest-1 is the same version as 1.36",
            "master has no source here",
            "no known Kubernetes version answers `1.99`",
        ])
        .into_iter()
        .map(|reason| if reason.starts_with("1.36.3") {
            "v1.36.3 is the same version as 1.36"
        } else {
            reason
        })
        .collect()
    );
}

#[test]
fn overrides_change_cells_and_failures_come_first() {
    let mut spec = base();
    spec.axes.nodes = vec![1, 3];
    spec.overrides.push(Override {
        when: Axes {
            nodes: vec![3],
            ..Axes::default()
        },
        settings: [("retries".to_owned(), "2".to_owned())].into(),
        suites: Some(vec!["long".to_owned()]),
    });
    let plan = plan_of(&spec);
    assert_eq!(plan.cells.len(), 8);
    for cell in &plan.cells {
        let three = cell.workers == 3;
        assert_eq!(cell.settings.contains_key("retries"), three);
        assert_eq!(cell.suites == ["long"], three);
        assert_eq!(cell.id.as_str().ends_with("-n3"), three);
    }
    let last: BTreeSet<CellId> = plan
        .cells
        .last()
        .map(|cell| cell.id.clone())
        .into_iter()
        .collect();
    let failures = plan_in(&spec, Order::FailuresFirst, &last);
    assert_eq!(Some(&failures.cells[0].id), last.first());
}

#[test]
fn what_no_machine_carries_is_skipped() {
    let spec = base();
    let costs = Costs {
        processes: 2,
        ..Costs::default()
    };
    let plan = expand(
        &spec,
        &World {
            resolve: &resolve,
            emulation: &emulation,
            costs: &costs,
            largest: Some(Demand {
                millicores: 500,
                memory: 1 << 28,
                disk: u64::MAX,
            }),
            failed: &BTreeSet::new(),
            order: Order::CheapestFirst,
            suites: &suites(),
        },
    );
    assert!(plan.cells.is_empty());
    assert!(
        plan.skipped[0].reason.contains("GiB of memory"),
        "{:?}",
        plan.skipped
    );
}

fn any_axes() -> impl Strategy<Value = Axes> {
    let release = prop::sample::select(vec![
        "1.34",
        "1.35",
        "1.36",
        "1.36.3",
        "1.37.0-rc.1",
        "latest",
        "latest-1",
        "latest-9",
        "master",
        "1.99",
    ]);
    let release = release.prop_map(|text| text.parse::<Release>().unwrap());
    let option = prop::sample::select(vec!["A=true", "A=false", "A-true", "x y", ""]);
    let options = prop::collection::btree_map(
        prop::sample::select(vec![
            "feature-gates".to_owned(),
            "runtime-config".to_owned(),
        ]),
        prop::collection::btree_set(option.prop_map(str::to_owned), 1..3)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>()),
        0..2,
    );
    (
        prop::collection::btree_set(release, 1..4),
        prop::collection::btree_set(prop::sample::select(Cni::ALL.to_vec()), 1..3),
        prop::collection::btree_set(prop::sample::select(Arch::ALL.to_vec()), 1..4),
        prop::collection::btree_set(0_u8..4, 1..3),
        options,
    )
        .prop_map(|(kubernetes, cni, arch, nodes, settings)| Axes {
            kubernetes: kubernetes.into_iter().collect(),
            cni: cni.into_iter().collect(),
            arch: arch.into_iter().collect(),
            nodes: nodes.into_iter().collect(),
            settings,
        })
}

fn any_matrix() -> impl Strategy<Value = MatrixSpec> {
    let named = prop::sample::subsequence(vec!["smoke".to_owned(), "long".to_owned()], 1..=2);
    (
        any_axes(),
        prop::collection::vec(any_axes(), 0..2),
        prop::collection::vec(any_axes(), 0..2),
        named,
    )
        .prop_map(|(axes, include, exclude, suites)| MatrixSpec {
            axes,
            include,
            exclude: exclude
                .into_iter()
                .map(|which| Exclude {
                    which,
                    reason: None,
                })
                .collect(),
            suites,
            ..MatrixSpec::default()
        })
}

proptest! {
    #[test]
    fn every_cell_of_the_product_is_planned_once_or_skipped_with_a_reason(spec in any_matrix()) {
        let plan = plan_of(&spec);
        let product = spec.axes.kubernetes.len() * spec.axes.cni.len() * spec.axes.arch.len()
            * spec.axes.nodes.len()
            * spec.axes.settings.values().map(Vec::len).product::<usize>();
        let first = spec.axes.first();
        let included: usize = spec.include.iter().map(|axes| axes.clone().or(&first).points().len()).sum();
        prop_assert_eq!(plan.cells.len() + plan.skipped.len(), product + included);
        let unique: BTreeSet<&CellId> = plan.cells.iter().map(|cell| &cell.id).collect();
        prop_assert_eq!(unique.len(), plan.cells.len());
        for cell in &plan.cells {
            prop_assert_eq!(&cell.id, &cell.cell.id());
            prop_assert!(cell.id.as_str().len() <= 100);
            prop_assert!(cell.id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'));
        }
        prop_assert!(plan.skipped.iter().all(|skipped| !skipped.reason.is_empty()));
        // No two cells are the same cluster.
        let clusters: BTreeSet<_> = plan.cells.iter().map(|cell| (
            &cell.cell.kubernetes, cell.cell.cni, cell.cell.arch, cell.workers, &cell.settings,
        )).collect();
        prop_assert_eq!(clusters.len(), plan.cells.len());
        // What is written is read again.
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }

    #[test]
    fn shards_partition_the_plan(spec in any_matrix(), count in 1_usize..7) {
        let plan = plan_of(&spec);
        let mut found: Vec<CellId> = Vec::new();
        for index in 1..=count {
            let shard: Shard = format!("{index}/{count}").parse().unwrap();
            found.extend(plan.shard(shard).cells.into_iter().map(|cell| cell.id));
        }
        found.sort();
        let mut all: Vec<CellId> = plan.cells.iter().map(|cell| cell.id.clone()).collect();
        all.sort();
        prop_assert_eq!(found, all);
    }

    #[test]
    fn github_gets_every_cell_and_suite_once_within_its_limits(
        spec in any_matrix(), most in 1_usize..400,
    ) {
        let plan = plan_of(&spec);
        let jobs = match jobs(&plan, most) {
            Ok(jobs) => jobs,
            Err(error) => {
                prop_assert!(plan.cells.is_empty(), "{}", error);
                return Ok(());
            }
        };
        let text = jobs.to_json().unwrap();
        prop_assert!(text.len() <= MOST_BYTES && !text.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let include = read["include"].as_array().unwrap();
        prop_assert!((1..=MOST_JOBS.min(most)).contains(&include.len()));
        let mut parts: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for job in include {
            let text = |name: &str| job[name].as_str().unwrap().to_owned();
            let safe = |c: char| c.is_ascii_alphanumeric() || " .,-/".contains(c);
            prop_assert!(["name", "cells", "suites", "shard", "args"].iter().all(|name| text(name).chars().all(safe)));
            for cell in text("cells").split(',') {
                let planned = plan.cells.iter().find(|planned| planned.id.as_str() == cell).unwrap();
                let named = text("suites");
                let suites: Vec<&str> = if named.is_empty() {
                    planned.suites.iter().map(String::as_str).collect()
                } else {
                    named.split(',').collect()
                };
                for suite in suites {
                    parts.entry((cell.to_owned(), suite.to_owned())).or_default().push(text("shard"));
                }
            }
        }
        let wanted: usize = plan.cells.iter().map(|cell| cell.suites.len()).sum();
        prop_assert_eq!(parts.len(), wanted);
        for ((_, suite), mut shards) in parts {
            shards.sort();
            let whole = shards == [""];
            let cut = suite == "long" && shards == ["1/3", "2/3", "3/3"];
            prop_assert!(whole || cut, "{} {:?}", suite, shards);
        }
    }

    #[test]
    fn cells_run_once_within_what_machines_have_and_again_where_an_engine_is_lost(
        demands in prop::collection::vec((1_u64..4, 1_u64..6), 1..12),
        machines in prop::collection::vec((1_u64..5, 1_u64..9), 1..4),
        lost in prop::collection::vec(any::<bool>(), 60),
        most in prop::option::of(1_usize..5),
    ) {
        let demand = |(cores, memory): &(u64, u64)| Demand { millicores: cores * 1000, memory: *memory, disk: 1 };
        let demands: Vec<Demand> = demands.iter().map(demand).collect();
        let carriers: Vec<Carrier> = machines.iter().enumerate().map(|(index, of)| Carrier {
            // The last two share a machine.
            machine: format!("m{}", index.min(1)),
            capacity: Demand { disk: 100, ..demand(of) },
        }).collect();
        let mut schedule = Schedule::new(demands.clone(), carriers.clone(), most);
        let (seconds, at_once) = schedule.foresee(&vec![7; demands.len()]);
        prop_assert!(seconds % 7 == 0 && seconds <= 7 * demands.len() as u64);
        prop_assert!((1..=most.unwrap_or(usize::MAX)).contains(&at_once));
        let mut running: Vec<(usize, usize)> = Vec::new();
        let mut done: BTreeSet<usize> = BTreeSet::new();
        let mut lost = lost.into_iter();
        let mut turns = 0;
        loop {
            turns += 1;
            prop_assert!(turns < 500);
            while let Some((cell, carrier)) = schedule.start() {
                running.push((cell, carrier));
                prop_assert!(running.len() <= most.unwrap_or(usize::MAX));
                let machine = &carriers[carrier].machine;
                let here: Vec<usize> = running.iter()
                    .filter(|(_, at)| carriers[*at].machine == *machine).map(|(cell, _)| *cell).collect();
                let used = here.iter().fold(Demand::default(), |used, cell| used.plus(demands[*cell]));
                prop_assert!(here.len() == 1 || used.within(carriers[carrier].capacity));
            }
            let Some((cell, carrier)) = running.pop() else { break };
            if lost.next() == Some(true) && carriers.len() > 1 {
                let gone = schedule.lose(carrier);
                prop_assert!(gone.contains(&cell));
                running.retain(|(cell, _)| !gone.contains(cell));
                gone.into_iter().for_each(|cell| schedule.again(cell));
            } else {
                schedule.finish(cell);
                prop_assert!(done.insert(cell), "cell {} ran twice", cell);
            }
        }
        let all = done.len() == demands.len();
        prop_assert!(all || !schedule.carried());
        prop_assert_eq!(done.len() + schedule.waiting().len(), demands.len());
    }
}
