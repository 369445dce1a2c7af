//! A search's result as programs read it, and as it is kept for issues.

use jiff::Timestamp;
use kcluster_matrix::bisect::{Answer, Conclusion, Goal};
use serde::{Deserialize, Serialize};

use super::{Bisect, escape, short};
use crate::text::xml_text;

/// What a search found, without its history: `result.json` of a search's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Version of this form.
    pub format: u32,
    /// In which cell, without the version.
    pub cell: String,
    /// What was run at each point.
    pub test: String,
    /// Where the points come from.
    pub source: String,
    /// One line that shows it again.
    pub reproduce: String,
    /// When the search began.
    pub begun: Timestamp,
    /// What was looked for.
    #[serde(default = "first_bad")]
    pub goal: Goal,
    /// The good end.
    pub good: String,
    /// The bad end.
    pub bad: String,
    /// Points between the ends.
    pub candidates: usize,
    /// Points that it still may be.
    pub left: usize,
    /// Boots, those that failed included.
    pub boots: usize,
    /// Runs of the test that said something.
    pub runs: usize,
    /// How probable a wrong answer may be.
    pub error: f64,
    /// How it ended, if it has.
    pub conclusion: Option<Conclusion>,
    /// The one point that it is, if it is one.
    pub culprit: Option<Culprit>,
    /// Points that were told, or could not be.
    pub points: Vec<Tested>,
}

/// The point that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Number of the pull request that brought it, if titles tell.
    pub pull_request: Option<u64>,
}

/// A point that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What all runs of it say together.
    pub answer: Answer,
    /// Runs that passed.
    pub passed: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Why it cannot be told.
    pub note: Option<String>,
}

fn first_bad() -> Goal {
    Goal::FirstBad
}

impl Finding {
    /// All that is known of a search but its history.
    #[must_use]
    pub fn of(bisect: &Bisect<'_>) -> Self {
        let search = bisect.search;
        Self {
            format: 1,
            cell: bisect.cell.to_owned(),
            test: bisect.test.to_owned(),
            source: bisect.source.to_owned(),
            reproduce: bisect.reproduce.to_owned(),
            begun: bisect.begun,
            goal: search.goal(),
            good: search.good().to_owned(),
            bad: search.bad().to_owned(),
            candidates: search.candidates(),
            left: search.left(),
            boots: bisect.boots(),
            runs: bisect.runs(),
            error: search.rule().error,
            conclusion: bisect.conclusion(),
            culprit: bisect.culprit(),
            points: tested(bisect),
        }
    }

    /// What was written.
    ///
    /// # Errors
    /// When the text is none of ours.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

fn tested(bisect: &Bisect<'_>) -> Vec<Tested> {
    let verdicts = bisect.search.verdicts().into_iter();
    verdicts
        .map(|verdict| Tested {
            title: bisect.title(&verdict.point).to_owned(),
            id: verdict.point,
            answer: verdict.answer,
            passed: verdict.passed,
            failed: verdict.failed,
            note: verdict.note,
        })
        .collect()
}

/// The points as Markdown: a table, and why some could not be told.
#[must_use]
pub(crate) fn evidence(points: &[Tested]) -> String {
    let mut out = String::new();
    if points.is_empty() {
        return out;
    }
    out.push_str(
        "\n### Evidence\n\n| point | title | answer | passed | failed |\n|---|---|---|--:|--:|\n",
    );
    for point in points {
        out.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            short(&point.id),
            escape(&point.title),
            point.answer,
            point.passed,
            point.failed
        ));
    }
    let untold = points
        .iter()
        .filter(|point| point.answer == Answer::CannotTell);
    let mut head = "\n### Skipped, and why\n";
    for point in untold {
        let note = point.note.as_deref().unwrap_or("no reason was given");
        // The empty line makes what follows a block of code: logs mention nobody.
        let line = format!("- `{}` {}", short(&point.id), escape(&point.title));
        out.push_str(&format!("{head}\n{}\n\n", line.trim_end()));
        for line in xml_text(note).lines() {
            out.push_str(&format!("      {}\n", line.trim_end()));
        }
        head = "";
    }
    out
}
