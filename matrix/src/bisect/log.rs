//! The log in git's own format: `git bisect replay` takes it.

use std::fmt::Write as _;

use super::search::{Answer, Conclusion, Goal, Next, Search};

/// What the search has found so far, as `git bisect log` would print it.
#[must_use]
pub fn git_log(search: &Search) -> String {
    let (bad, good) = match search.goal() {
        Goal::FirstBad => ("bad", "good"),
        Goal::FirstGood => ("broken", "fixed"),
    };
    let shown = |id: &str| {
        let title = search.history().point(id).map(|point| point.title.as_str());
        // A title of several lines would be taken for commands.
        let title = title.unwrap_or_default().lines().next().unwrap_or_default();
        format!("[{id}] {title}").trim_end().to_owned()
    };
    let (new, old) = match search.goal() {
        Goal::FirstBad => ((bad, search.bad()), (good, search.good())),
        Goal::FirstGood => ((good, search.good()), (bad, search.bad())),
    };
    let mut log = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        log,
        "# {}: {}\n# {}: {}\n",
        new.0,
        shown(new.1),
        old.0,
        shown(old.1)
    );
    let terms = match search.goal() {
        Goal::FirstBad => String::new(),
        Goal::FirstGood => format!(" '--term-new={good}' '--term-old={bad}'"),
    };
    let _ = writeln!(log, "git bisect start{terms} '{}' '{}'", new.1, old.1);
    for verdict in search.verdicts() {
        if [new.1, old.1].contains(&verdict.point.as_str()) {
            continue;
        }
        let word = match verdict.answer {
            Answer::Good => good,
            Answer::Bad => bad,
            Answer::CannotTell => "skip",
        };
        let id = &verdict.point;
        let _ = write!(log, "# {word}: {}\ngit bisect {word} {id}\n", shown(id));
    }
    match search.next() {
        Next::Done(Conclusion::Found { point }) => {
            let _ = writeln!(log, "# first {} commit: {}", new.0, shown(&point));
        }
        Next::Done(Conclusion::OneOf { points }) => {
            let _ = writeln!(log, "# only skipped commits left to test");
            for point in points.iter().rev() {
                let _ = writeln!(log, "# possible first {} commit: {}", new.0, shown(point));
            }
        }
        _ => {}
    }
    log
}
