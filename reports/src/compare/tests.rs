use super::*;
use crate::across::tests::{case, failed, suite};

fn skipped() -> Outcome {
    Outcome::Skipped {
        reason: "no GPU".into(),
    }
}

fn timed(name: &str, seconds: u64) -> Case {
    Case {
        took: Duration::from_secs(seconds),
        ..case(name, Outcome::Passed, 1, "")
    }
}

fn names(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.name.as_str()).collect()
}

#[test]
fn each_spec_is_in_the_one_list_it_belongs_to() {
    let old = vec![
        case("breaks", Outcome::Passed, 1, ""),
        case("fixed", failed("was"), 1, ""),
        case("still", failed("was"), 1, ""),
        case("flake", Outcome::Passed, 2, ""),
        case("goes", Outcome::Passed, 1, ""),
        case("skip", Outcome::Passed, 1, ""),
        case("never", skipped(), 1, ""),
        timed("slow", 10),
        timed("little", 10),
        timed("short", 1),
    ];
    let new = vec![
        case("breaks", failed("now `1`"), 1, ""),
        case("fixed", Outcome::Passed, 1, ""),
        case("still", failed("still"), 1, ""),
        case("flake", Outcome::Passed, 2, ""),
        case("skip", skipped(), 1, ""),
        case("never", skipped(), 1, ""),
        case("unheard of", failed("new"), 1, ""),
        case("added", Outcome::Passed, 1, ""),
        timed("slow", 16),
        timed("little", 14),
        timed("short", 5),
    ];
    let of = |version: &str, cases| [suite(version, "bridge", "amd64", cases)];
    let found = compare(&of("v1.36.3", old), &of("v1.36.4", new));
    assert_eq!(names(&found.new), ["breaks", "unheard of"]);
    assert_eq!(names(&found.fixed), ["fixed"]);
    assert_eq!(names(&found.still), ["still"]);
    assert_eq!(names(&found.flaky), ["flake"]);
    assert_eq!(names(&found.slower), ["slow"]);
    assert_eq!(names(&found.gone), ["skip", "goes"]);
    assert_eq!((found.added, found.passed), (1, 4));
    assert!(found.is_worse());
    insta::assert_snapshot!(found.to_markdown(), @r"
    ## kcluster: 2 newly failing, 1 fixed, 1 still failing, 2 no longer run, 1 flaky, 1 slower

    - v1.36.4-bridge-amd64 is compared with v1.36.3-bridge-amd64

    ### New failures

    <details><summary>breaks (v1.36.4-bridge-amd64)</summary>

    ```
    now `1`
    ```
    </details>

    <details><summary>unheard of (v1.36.4-bridge-amd64)</summary>

    ```
    new
    ```
    </details>

    ### Still failing

    <details><summary>still (v1.36.4-bridge-amd64)</summary>

    ```
    still
    ```
    </details>

    ### Fixed

    - fixed (v1.36.4-bridge-amd64)

    ### No longer run

    - skip (v1.36.4-bridge-amd64): skipped now: no GPU
    - goes (v1.36.4-bridge-amd64): it is not in the new report

    ### Flaky

    - flake (v1.36.4-bridge-amd64), as before

    ### Slower

    - slow (v1.36.4-bridge-amd64): 16.0 s instead of 10.0 s
    ");
}

#[test]
fn a_report_is_no_worse_than_itself() {
    let suites = crate::across::tests::matrix(|_, _, arch| arch == "s390x");
    let same = compare(&suites, &suites);
    assert!(!same.is_worse() && same.fixed.is_empty());
    assert_eq!((same.still.len(), same.passed), (4, 4));
}

#[test]
fn cells_that_cannot_be_told_apart_are_not_compared() {
    let cell = |version: &str| suite(version, "bridge", "amd64", vec![timed("a", 1)]);
    let two = [cell("v1.35.1"), cell("v1.36.1")];
    let found = compare(&two, &[cell("v1.37.1")]);
    assert_eq!(found.gone_cells.len(), 2);
    assert_eq!(found.added_cells, ["v1.37.1-bridge-amd64"]);
    assert!(found.to_markdown().contains("no cell in common"));
    // The one that is left over is the one that moved.
    let found = compare(&two, &[cell("v1.35.1"), cell("v1.37.1")]);
    let moved = ("v1.36.1-bridge-amd64", "v1.37.1-bridge-amd64");
    let moved = (moved.0.to_owned(), moved.1.to_owned());
    assert!(found.cells.contains(&moved), "{:?}", found.cells);
    assert!(found.gone_cells.is_empty() && found.passed == 2);
}
