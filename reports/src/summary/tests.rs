use super::*;

fn suite(cases: Vec<Case>) -> Suite {
    Suite {
        name: "v1.36.3-bridge-amd64".into(),
        phase: "conformance".into(),
        host: "here".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: Vec::new(),
        cases,
    }
}

fn case(name: &str, seconds: u64, outcome: Outcome, attempts: u32) -> Case {
    Case {
        name: name.into(),
        class: "sig-node".into(),
        took: Duration::from_secs(seconds),
        outcome,
        attempts,
        output: String::new(),
    }
}

#[test]
fn failures_flakes_and_the_slowest_are_named() {
    let message = "expected `2`\n``` to equal\n3".to_owned();
    let cases = vec![
        case("[sig-node] Pods a|b", 3, Outcome::Passed, 1),
        case(
            "[sig-node] Pods <script>",
            70,
            Outcome::Failed { message },
            1,
        ),
        case("[sig-node] Pods flake", 2, Outcome::Passed, 2),
        case(
            "[sig-node] Pods skip",
            0,
            Outcome::Skipped {
                reason: "no".into(),
            },
            1,
        ),
    ];
    insta::assert_snapshot!(render(&[suite(cases)]), @r"
    ## kcluster: 1 of 4 failed

    | cell | phase | passed | failed | errored | skipped | flaky | longest |
    |---|---|--:|--:|--:|--:|--:|--:|
    | v1.36.3-bridge-amd64 | conformance | 2 | 1 | 0 | 1 | 1 | 1 min 10 s |

    ### Failures

    <details><summary>&#91;sig-node&#93; Pods &lt;script&gt; <b>failed</b> after 1 min 10 s (v1.36.3-bridge-amd64 conformance)</summary>

    ````
    expected `2`
    ``` to equal
    3
    ````
    </details>

    ### Flaky

    - &#91;sig-node&#93; Pods flake (2 attempts)

    ### Slowest

    | time | spec |
    |--:|---|
    | 1 min 10 s | &#91;sig-node&#93; Pods &lt;script&gt; |
    | 3.0 s | &#91;sig-node&#93; Pods a&#124;b |
    | 2.0 s | &#91;sig-node&#93; Pods flake |
    ");
}

#[test]
fn what_went_well_is_short_and_what_went_badly_is_bounded() {
    assert_eq!(render(&[]), "## kcluster: nothing was run\n\n");
    let mut big = suite(vec![case("a", 0, Outcome::Passed, 1)]);
    for name in [property::MEMORY_PEAK, property::DISK_PEAK] {
        big.properties
            .push((name.into(), (3_u64 << 30).to_string()));
    }
    assert!(render(&[big]).contains("memory 3.0 GiB, disk 3.0 GiB."));
    let good = render(&[suite(vec![case("a", 0, Outcome::Passed, 1)])]);
    assert!(
        good.starts_with("## kcluster: all 1 passed\n") && !good.contains("###"),
        "{good}"
    );
    let errored = || Outcome::Errored {
        message: "line\n".repeat(10_000),
    };
    let many = (0..2000)
        .map(|n| case(&n.to_string(), 0, errored(), 1))
        .collect();
    let bad = render(&[suite(many)]);
    assert!(bad.contains("2000 of 2000 could not be judged") && bad.contains("and 1950 more"));
    // A job's summary may hold 1 MiB.
    assert!(bad.len() < 64 << 10, "{}", bad.len());
}

#[test]
fn a_matrix_is_a_row_per_cell_and_a_failure_per_spec() {
    let suites = crate::across::tests::matrix(|_, _, arch| arch == "s390x");
    let text = render(&suites);
    assert!(text.contains("4 of 8 cells passed."), "{text}");
    assert!(text.contains("| v1.9.1-bridge-s390x | **failed** | 0 | 1 | 0 | 0 | 0 | 1 min 00 s |"));
    assert_eq!(text.matches("<details>").count(), 1);
    assert!(text.contains("(fails only on s390x)"));
}
