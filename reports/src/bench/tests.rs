use super::*;

fn machine(load: f64) -> Machine {
    Machine {
        cpus: 2,
        memory: 24 << 30,
        engine: "Docker 20.10.24".into(),
        storage: "overlay2".into(),
        cgroups: 1,
        load: Some(load),
    }
}

fn bench(load: f64) -> Bench {
    Bench {
        format: FORMAT,
        at: Timestamp::UNIX_EPOCH,
        kubernetes: "1.36.3".into(),
        machine: machine(load),
        rows: Vec::new(),
    }
}

fn boot(maker: Maker) -> Row {
    Row::new(Topic::Boot, "1+1, cold", maker, Unit::Seconds)
}

fn with(samples: &[f64]) -> Bench {
    let mut bench = bench(0.1);
    for sample in samples {
        bench.take(boot(Maker::Kcluster), *sample);
    }
    bench
}

#[test]
fn the_median_is_the_middle_or_between_the_two_in_it() {
    assert_eq!(Stats::of(&[]), None);
    assert_eq!(Stats::of(&[f64::NAN]), None);
    let odd = Stats::of(&[9.0, 1.0, 2.0]).unwrap();
    assert_eq!(
        (odd.least, odd.median, odd.most, odd.count),
        (1.0, 2.0, 9.0, 3)
    );
    assert_eq!(Stats::of(&[4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
}

#[test]
fn a_peers_figure_stands_beside_ours_and_limits_are_checked() {
    let mut bench = bench(2.5);
    let limited = Row {
        limit: Some(10.0),
        ..boot(Maker::Kcluster)
    };
    for sample in [11.0, 9.0, 12.0] {
        bench.take(limited.clone(), sample);
    }
    bench.take(boot(Maker::Kind), 33.0);
    let disk = Row::new(Topic::Disk, "a further node", Maker::Kind, Unit::Bytes);
    bench.skip(disk.clone(), "kind is not installed");
    bench.skip(disk, "kind is not installed");
    assert_eq!(bench.exceeding().len(), 1);
    assert_eq!(bench.skipped().len(), 1);
    insta::assert_snapshot!(markdown(&bench, "cargo xtask bench"), @r"
    # Benchmarks

    Written by `cargo xtask bench` on 1970-01-01: 2 processors, 24 GiB, Docker 20.10.24, overlay2, cgroup v1, Kubernetes 1.36.3, images present. Times are those of whole commands, from their start to their end; Ready is all nodes and all kube-system pods. Builds begin with empty caches; their times are the processors'. Disk is what is allocated, not what files claim to hold. Memory is the machine's MemAvailable before and after.

    ## Boot

    | what | median | spread | runs | at most | kind | kind ÷ ours |
    |---|---|---|---|---|---|---|
    | 1+1, cold | 11.0 s | 9.0 s to 12.0 s | 3 | 10.0 s EXCEEDED | 33.0 s | 3.0 |

    - The machine was busy when this began (load 2.5): its times are not for a record.
    - Skipped, 1 figure: kind is not installed.
    ");
}

#[test]
fn only_samples_that_do_not_overlap_are_a_change() {
    let old = with(&[10.0, 11.0, 12.0]);
    let line = |new: &[f64]| {
        let text = compare(&old, &with(new));
        text.trim_end().to_owned()
    };
    assert_eq!(
        line(&[11.5, 12.5]),
        "1+1, cold, kcluster: 11.0 s then, 12.0 s now, within the spread"
    );
    assert_eq!(
        line(&[5.5, 5.5]),
        "1+1, cold, kcluster: 11.0 s then, 5.5 s now, 50 % less"
    );
    assert_eq!(
        line(&[22.0]),
        "1+1, cold, kcluster: 11.0 s then, 22.0 s now, 100 % MORE"
    );
    assert_eq!(
        compare(&old, &bench(0.0)),
        "1+1, cold, kcluster: not taken this time\n"
    );
    assert_eq!(
        compare(&bench(0.0), &old),
        "1+1, cold, kcluster: 11.0 s, new\n"
    );
    let busy = compare(&bench(3.0), &bench(0.0));
    assert!(busy.contains("busy"), "{busy}");
}

#[test]
fn what_is_written_is_read_again() {
    let mut bench = with(&[10.25]);
    bench.skip(boot(Maker::Kind), "no image");
    let text = serde_json::to_string(&bench).unwrap();
    assert_eq!(serde_json::from_str::<Bench>(&text).unwrap(), bench);
}
