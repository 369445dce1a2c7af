use kcluster_matrix::outcome::{Case, Outcome};
use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::across::tests::{case, failed, matrix};

fn suite(cases: Vec<Case>) -> Suite {
    Suite {
        name: "v1.36.3-bridge-amd64".into(),
        phase: "conformance".into(),
        host: "here".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: vec![("memory-peak-bytes".into(), (5_u64 << 30).to_string())],
        cases,
    }
}

#[test]
fn a_failure_shows_its_reason_closed_and_its_output_open() {
    let page = render(&[suite(vec![
        case("[sig-node] Pods fine", Outcome::Passed, 1, "not shown"),
        case(
            "[sig-node] Pods bad",
            failed("expected 2\nto equal 3"),
            1,
            "its log",
        ),
        case("[sig-apps] flake", Outcome::Passed, 2, "first attempt"),
        case(
            "[sig-apps] skip",
            Outcome::Skipped {
                reason: "no GPU".into(),
            },
            1,
            "",
        ),
    ])]);
    let (closed, open) = page
        .split_once("id=\"spec-2\"")
        .and_then(|(_, rest)| rest.split_once("</summary>"))
        .unwrap();
    assert!(
        closed.contains("[sig-node] Pods bad")
            && closed.contains("expected 2 · to equal 3")
            && page.contains("<a href=\"#spec-2\">[sig-node] Pods bad</a>"),
        "{closed}"
    );
    assert!(page.contains("<a href=\"#spec-2\">[sig-node] Pods bad</a>"));
    assert!(open.contains("to equal 3") && open.contains("its log"));
    assert!(page.contains("<h1 class=\"failed\">1 of 4 failed</h1>"));
    assert!(page.contains("first attempt") && !page.contains("not shown"));
    assert!(page.contains("no GPU") && page.contains("5.0 GiB"));
    assert_eq!(page.matches("<tr data-name=").count(), 4);
}

#[test]
fn nothing_is_fetched_and_nothing_gets_out_of_its_place() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=y> \u{1b}[31m</pre>";
    let page = render(&[suite(vec![case(evil, failed(evil), 1, evil)])]);
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</pre>").count(), 2);
    for fetch in [
        "<img", "<link", "@import", "url(", "http://", "https://", "src=",
    ] {
        let shown = page.replace("src=x", "");
        assert!(!shown.contains(fetch), "{fetch}");
    }
}

#[test]
fn verdicts_are_in_the_heading() {
    let errored = || Outcome::Errored {
        message: "gone".into(),
    };
    let heading = |cases: Vec<Case>| {
        let page = render(&[suite(cases)]);
        let (_, rest) = page.split_once("<h1 ").unwrap();
        rest.split(['>', '<']).nth(1).unwrap().to_owned()
    };
    let pass = || case("p", Outcome::Passed, 1, "");
    assert_eq!(heading(vec![pass(), pass()]), "All 2 passed");
    assert_eq!(heading(vec![]), "Nothing was run");
    assert_eq!(
        heading(vec![pass(), case("e", errored(), 1, "")]),
        "1 of 2 could not be judged"
    );
    let both = vec![case("f", failed("m"), 1, ""), case("e", errored(), 1, "")];
    assert_eq!(heading(both), "1 of 2 failed, 1 could not be judged");
    let mut boot = suite(vec![case("network", errored(), 1, "")]);
    boot.phase = "boot".into();
    assert!(render(&[boot]).contains("1 of 1 could not be judged"));
}

#[test]
fn a_run_where_all_fails_is_bounded() {
    let output = "line of output\n".repeat(20_000);
    let cases = (0..446)
        .map(|n| case(&format!("[sig-x] {n}"), failed("no"), 1, &output))
        .collect();
    let page = render(&[suite(cases)]);
    assert!(page.len() < MOST_PER_PAGE + (3 << 20), "{}", page.len());
}

proptest! {
    #[test]
    fn any_text_stays_text(name in any::<String>(), output in any::<String>()) {
        let plain = render(&[suite(vec![case("n", failed("m"), 1, "o")])]);
        let page = render(&[suite(vec![case(&format!("n{name}"), failed("m"), 1, &format!("o{output}"))])]);
        prop_assert_eq!(page.matches('<').count(), plain.matches('<').count());
    }
}

#[test]
fn a_part_is_not_shown_as_the_whole() {
    let mut part = suite(vec![case("a", Outcome::Passed, 1, "")]);
    part.properties
        .push((property::SHARD.into(), "missing 2/2".into()));
    assert!(render(&[part]).contains("conformance: Only a part of it, shard missing 2/2."));
}

#[test]
fn a_matrix_is_a_grid_whose_fields_lead_to_failures_in_two_clicks() {
    let page = render(&matrix(|_, cni, arch| cni == "flannel" && arch == "s390x"));
    assert!(
        page.contains("2 of 8 cells did not pass: 2 of 8 failed"),
        "{page}"
    );
    let field =
        "<a class=\"field failed\" href=\"#cell-3\" title=\"v1.9.1-flannel-s390x\">1 ✗ of 1</a>";
    assert!(page.contains(field));
    assert_eq!(page.matches("class=\"field passed\"").count(), 6);
    let (_, cell) = page.split_once("<details id=\"cell-3\">").unwrap();
    let (cell, _) = cell.split_once("<details id=\"cell-4\">").unwrap();
    assert!(cell.contains("<a href=\"#spec-0\">[sig-x] a</a>"), "{cell}");
    assert_eq!(page.matches("id=\"spec-0\"").count(), 1);
    assert!(page.contains("<b>fails only on flannel × s390x</b>"));
    let mut suites = matrix(|_, _, _| false);
    for suite in &mut suites {
        let emulation = if suite.name.contains("s390x") {
            "hybrid"
        } else {
            "native"
        };
        suite
            .properties
            .push((property::EMULATION.into(), emulation.into()));
    }
    let page = render(&suites);
    // It follows from the architecture: two versions, two plugins, no further rows.
    assert_eq!(page.matches("<tr><th scope=\"row\">").count(), 4);
    assert!(!page.contains("<th scope=\"col\">emulation</th>"));
}

#[test]
fn a_matrix_of_full_runs_stays_small_and_its_data_is_json() {
    let mut suites = matrix(|_, _, arch| arch == "s390x");
    for suite in &mut suites {
        let more = (0..446).map(|n| {
            let mut case = case(
                &format!("[sig-y] spec </script> {n}"),
                Outcome::Passed,
                1,
                "",
            );
            case.took = Duration::from_millis(n * 10);
            case
        });
        suite.cases.extend(more);
    }
    let page = render(&suites);
    assert!(page.len() < 1 << 20, "{}", page.len());
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["verdicts"].as_array().unwrap().len(), 8);
    assert_eq!(data["verdicts"][1].as_str().unwrap().len(), 447);
    assert_eq!(&data["verdicts"][1].as_str().unwrap()[..2], "fp");
    assert_eq!(data["names"][1], "[sig-y] spec </script> 0");
}
