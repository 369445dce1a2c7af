//! The HTML page as a person sees it: opened in Chromium, in light, dark and at a phone's width.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use kcluster_tests::{Kcluster, chromium, node, node_packages, sample};
use serde::Deserialize;

/// What `browser/page.mjs` saw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    name: String,
    title: String,
    open_ms: u64,
    first_ms: u64,
    second_ms: u64,
    find_ms: u64,
    clear_ms: u64,
    reason: String,
    reason_in_view: bool,
    found: usize,
    listed: usize,
    wide: i64,
    errors: Vec<String>,
    requests: Vec<String>,
}

fn look(report: &str) -> Option<Vec<Seen>> {
    let chromium = chromium("page")?;
    if !node_packages("page") {
        return None;
    }
    let kcluster = Kcluster::new().unwrap();
    let keep = std::env::var_os("KCLUSTER_PICTURES").map(std::path::PathBuf::from);
    let folder = keep.unwrap_or_else(|| kcluster.state().join("pictures"));
    fs_err::create_dir_all(&folder).unwrap();
    let out = kcluster.state().join("out");
    fs_err::create_dir_all(&out).unwrap();
    fs_err::write(out.join("report.json"), report).unwrap();
    let html = kcluster
        .run(&["report", "html", &out.display().to_string()])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let page = html.stdout.trim();
    eprintln!(
        "a page of {} KiB, written in {:.1} s",
        fs_err::metadata(page).unwrap().len() >> 10,
        html.took.as_secs_f64()
    );
    let seen = node(
        "page.mjs",
        &[
            &chromium,
            page,
            &folder.display().to_string(),
            &sample::spec(sample::ONLY_THERE),
            "flannel-s390x",
        ],
    )
    .unwrap();
    let seen: Vec<Seen> = serde_json::from_str(&seen).unwrap();
    for seen in &seen {
        eprintln!("{seen:?}");
        assert_eq!(seen.errors, Vec::<String>::new(), "{}", seen.name);
        assert_eq!(seen.requests, Vec::<String>::new(), "{}", seen.name);
        assert!(seen.wide <= 0, "{} scrolls sideways", seen.name);
        assert!(
            seen.reason
                .contains("expected pod to be reachable on 10.244.1.7:8080"),
            "{} shows after two clicks {}",
            seen.name,
            seen.reason
        );
        assert!(
            seen.reason_in_view,
            "{}: the reason is out of view",
            seen.name
        );
        assert!(
            seen.open_ms < 2000,
            "{} took {} ms",
            seen.name,
            seen.open_ms
        );
        for ms in [seen.first_ms, seen.second_ms, seen.find_ms, seen.clear_ms] {
            assert!(ms < 2000, "{} is not usable: {seen:?}", seen.name);
        }
        assert!((1..40).contains(&seen.found), "{seen:?}");
    }
    assert_eq!(seen.len(), 3);
    Some(seen)
}

#[test]
fn a_failure_and_its_reason_are_two_clicks_away() {
    let Some(seen) = look(&sample::cell_report()) else {
        return;
    };
    assert!(seen[0].title.contains("of 446 failed"), "{}", seen[0].title);
}

#[test]
fn forty_cells_of_conformance_open_at_once_and_stay_usable() {
    let Some(seen) = look(&sample::matrix_report()) else {
        return;
    };
    let cells = sample::CELLS;
    assert!(
        seen[0].title.contains(&format!("of {cells} cells")),
        "{}",
        seen[0].title
    );
    for seen in seen {
        assert_eq!(seen.listed, sample::SPECS, "{}", seen.name);
    }
}
