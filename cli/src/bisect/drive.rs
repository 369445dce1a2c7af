//! The loop: ask the search, test the point, until it is over or we are to stop.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kcluster_matrix::bisect::{Conclusion, Next};
use kcluster_matrix::{Sink, exit};
use kcluster_reports::bisect::short;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::child::{Job, end_leftovers};
use super::folder::{Folder, Saved};
use super::judge::{Judge, Session};
use crate::context::Context;
use crate::error::Told;

/// Builds of points that may be asked about next, one after the other, lest they slow down the test.
#[derive(Default)]
struct Ahead {
    points: Vec<(String, CancellationToken)>,
    /// All that were ever begun.
    begun: BTreeSet<String>,
    task: Option<JoinHandle<()>>,
}

impl Ahead {
    fn begin(&mut self, jobs: Vec<(String, Job)>) {
        self.end();
        let before = self.task.take();
        self.begun
            .extend(jobs.iter().map(|(point, _)| point.clone()));
        let jobs: Vec<(String, Job, CancellationToken)> = jobs
            .into_iter()
            .map(|(point, job)| (point, job, CancellationToken::new()))
            .collect();
        self.points = jobs
            .iter()
            .map(|(point, _, stop)| (point.clone(), stop.clone()))
            .collect();
        self.task = Some(tokio::spawn(async move {
            if let Some(before) = before {
                // However it ended, it is over.
                let _ = before.await;
            }
            for (_, job, stop) in jobs {
                if !stop.is_cancelled() {
                    // What goes wrong is told when the point's own turn comes.
                    let _ = job.run(&stop).await;
                }
            }
        }));
    }

    /// Ends what is built for points that are not wanted any more.
    fn only(&self, wanted: &str) {
        let others = self.points.iter().filter(|(point, _)| point != wanted);
        others.for_each(|(_, stop)| stop.cancel());
    }

    fn end(&self) {
        self.points.iter().for_each(|(_, stop)| stop.cancel());
    }

    async fn ended(&mut self) {
        self.end();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

/// Searches until it is found, the budget is spent, or a signal comes; the answer is the exit code.
pub(crate) async fn drive(
    context: &Context,
    folder: &Folder,
    saved: &mut Saved,
    budget: Option<Duration>,
) -> anyhow::Result<u8> {
    let begun = Instant::now();
    let stop = context.cancel.child_token();
    let judge = Judge {
        context,
        folder,
        program: std::env::current_exe()?.into_os_string(),
        stop: stop.clone(),
    };
    let left = end_leftovers(folder.path())?;
    if left > 0 {
        context.hub.note(&format_args!(
            "ended {left} processes that an earlier one left"
        ));
    }
    if saved.plan.test.boots() {
        judge.down(saved).await?;
    }
    if let Some(budget) = budget {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(budget).await;
            stop.cancel();
        });
    }
    let mut ahead = Ahead::default();
    let conclusion = loop {
        let point = match saved.search.next() {
            Next::Done(conclusion) => break Some(conclusion),
            Next::Test { point, .. } => point,
        };
        if stop.is_cancelled()
            || !fits(
                saved,
                budget.map(|budget| budget.saturating_sub(begun.elapsed())),
            )
        {
            break None;
        }
        let title = saved.search.history().point(&point);
        let title = title.map_or("", |point| point.title.as_str());
        let testing = format!("testing {} {title}", short(&point));
        context.hub.note(&format_args!(
            "{} points left; {}",
            saved.search.left(),
            testing.trim_end()
        ));
        ahead.only(&point);
        let built = |saved: &Saved| {
            let jobs = saved.search.outlook(&point).into_iter().map(|next| {
                let job = judge.ahead(saved, &next)?;
                Ok((next, job))
            });
            ahead.begin(jobs.collect::<anyhow::Result<_>>()?);
            Ok(())
        };
        match judge.test(saved, &point, built).await {
            Ok(Session::Stopped) => break None,
            Ok(Session::Told) => {}
            Err(error) => {
                ahead.ended().await;
                return Err(error);
            }
        }
        if let Some(verdict) = saved.search.verdict(&point) {
            let note = verdict.note.as_deref().and_then(|note| note.lines().next());
            let note = note.map(|note| format!(" ({})", note.trim_end_matches(':')));
            context.hub.note(&format_args!(
                "{} is {}{}",
                short(&point),
                verdict.answer,
                note.unwrap_or_default()
            ));
        }
    };
    ahead.ended().await;
    if conclusion.is_some() && saved.plan.test.boots() {
        for point in &ahead.begun {
            if saved.search.verdict(point).is_none() {
                judge.forget(saved, point).await?;
            }
        }
    }
    match conclusion {
        Some(Conclusion::Found { .. } | Conclusion::OneOf { .. }) => Ok(exit::PASSED),
        Some(Conclusion::WrongEnd { .. }) => Ok(exit::BAD_INPUT),
        None if context.cancel.is_cancelled() => {
            let told = Told::interrupted();
            Err(told.help(again(folder)).into())
        }
        None => {
            context
                .hub
                .note(&format_args!("the budget is spent; {}", again(folder)));
            Ok(exit::UNFINISHED)
        }
    }
}

fn again(folder: &Folder) -> String {
    format!(
        "`cargo kcluster bisect resume --dir {}` goes on",
        folder.path()
    )
}

/// Whether a point as slow as the slowest so far still fits; what is cut off would be done again.
fn fits(saved: &Saved, left: Option<Duration>) -> bool {
    let slowest = saved.attempts.iter().map(|attempt| attempt.took).max();
    left.is_none_or(|left| left > slowest.unwrap_or_default())
}
