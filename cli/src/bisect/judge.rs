//! Testing one point: build, boot, run as often as it takes, and write down each answer at once.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use kcluster_images::{Cache, Repository};
use kcluster_matrix::bisect::Answer;
use kcluster_matrix::{Sink, exit};
use kcluster_reports::bisect::{Attempt, short};
use tokio_util::sync::CancellationToken;

use super::child::{Ended, Job};
use super::folder::{Folder, Saved};
use super::plan::{PointKind, Test};
use crate::context::Context;
use crate::error::Told;

/// Lines of a log that explain why a point cannot be told.
const LINES: usize = 12;

/// What `git bisect run` also takes for "cannot tell".
const CANNOT_TELL: i32 = 125;

/// Whether the search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// Answers were recorded.
    Told,
    /// We were stopped; what was not finished is not recorded.
    Stopped,
}

/// What one run said.
type Said = (Answer, Option<String>);

/// Tests points.
pub(super) struct Judge<'a> {
    pub(super) context: &'a Context,
    pub(super) folder: &'a Folder,
    pub(super) program: OsString,
    pub(super) stop: CancellationToken,
}

impl Judge<'_> {
    /// Tests a point until its answers tell enough; `built` is called once it is built.
    pub(super) async fn test(
        &self,
        saved: &mut Saved,
        point: &str,
        built: impl FnOnce(&Saved) -> anyhow::Result<()>,
    ) -> anyhow::Result<Session> {
        let (begun, clock) = (Timestamp::now(), Instant::now());
        let mut attempt = Attempt {
            point: point.to_owned(),
            begun,
            built: None,
            booted: None,
            runs: 0,
            took: Duration::ZERO,
        };
        let session = self.session(saved, &mut attempt, built).await;
        // First what is known, for taking away what is left may fail.
        attempt.took = clock.elapsed();
        saved.attempts.push(attempt);
        self.folder.save(saved)?;
        let cleaned = self.clean(saved, point, &session).await;
        let session = session?;
        cleaned?;
        Ok(session)
    }

    /// Takes away what the point needed.
    async fn clean(
        &self,
        saved: &Saved,
        point: &str,
        session: &anyhow::Result<Session>,
    ) -> anyhow::Result<()> {
        if !saved.plan.test.boots() {
            return Ok(());
        }
        self.down(saved).await?;
        if matches!(session, Ok(Session::Told)) {
            self.forget(saved, point).await?;
        }
        Ok(())
    }

    async fn session(
        &self,
        saved: &mut Saved,
        attempt: &mut Attempt,
        built: impl FnOnce(&Saved) -> anyhow::Result<()>,
    ) -> anyhow::Result<Session> {
        let point = attempt.point.clone();
        if saved.plan.test.boots() {
            let clock = Instant::now();
            self.tell(&point, "building");
            let build = self.build(saved, &point, false)?;
            let ended = build.run(&self.stop).await?;
            if let Some(session) = self
                .done(saved, &point, &build, ended, "it does not build")
                .await?
            {
                return Ok(session);
            }
            attempt.built = Some(clock.elapsed());
            built(saved)?;
            self.tell(&point, "booting");
            let clock = Instant::now();
            let boot = self.boot(saved, &point)?;
            let ended = boot.run(&self.stop).await?;
            attempt.booted = Some(clock.elapsed());
            if let Some(session) = self
                .done(saved, &point, &boot, ended, "it does not boot")
                .await?
            {
                return Ok(session);
            }
        }
        while saved.search.verdict(&point).is_none() {
            let number = saved
                .search
                .records()
                .iter()
                .filter(|record| record.point == point);
            let number = number.count() + 1;
            self.tell(&point, &format!("run {number}"));
            let run = self.run(saved, &point, number)?;
            let ended = run.run(&self.stop).await?;
            attempt.runs += 1;
            let Some(said) = self.said(saved, &run, ended).await? else {
                return Ok(Session::Stopped);
            };
            self.folder.record(saved, &point, said)?;
        }
        Ok(Session::Told)
    }

    /// How a build or boot ended: nothing when it is there, or else what follows from that it is not.
    async fn done(
        &self,
        saved: &mut Saved,
        point: &str,
        job: &Job,
        ended: Ended,
        otherwise: &str,
    ) -> anyhow::Result<Option<Session>> {
        match ended {
            Ended::Stopped => return Ok(Some(Session::Stopped)),
            Ended::Code(0) => return Ok(None),
            Ended::Code(code) if code == i32::from(exit::INTERRUPTED) => {
                return Ok(Some(Session::Stopped));
            }
            Ended::Code(_) | Ended::Signal(_) => {}
        }
        self.infrastructure(saved, job).await?;
        let note = format!("{otherwise}:\n{}", job.tail(LINES));
        self.folder
            .record(saved, point, (Answer::CannotTell, Some(note)))?;
        Ok(Some(Session::Told))
    }

    /// What a run of the test said; nothing when we stopped it.
    async fn said(&self, saved: &Saved, run: &Job, ended: Ended) -> anyhow::Result<Option<Said>> {
        let untold = |why: &str| {
            (
                Answer::CannotTell,
                Some(format!("{why}:\n{}", run.tail(LINES))),
            )
        };
        let specs = matches!(saved.plan.test, Test::Specs { .. });
        let code = match ended {
            Ended::Stopped => return Ok(None),
            Ended::Code(code) => code,
            Ended::Signal(signal) if specs => {
                self.infrastructure(saved, run).await?;
                return Ok(Some(untold(&format!(
                    "the run was ended by signal {signal}"
                ))));
            }
            Ended::Signal(signal) => {
                let told = format!(
                    "the command was ended by signal {signal}, which says nothing; its log is {}",
                    run.log
                );
                return Err(self.paused(told));
            }
        };
        let is = |known: u8| code == i32::from(known);
        Ok(Some(match code {
            0 => (Answer::Good, None),
            _ if specs && is(exit::TESTS_FAILED) => (Answer::Bad, None),
            _ if specs && is(exit::INTERRUPTED) => return Ok(None),
            _ if specs && is(exit::BAD_INPUT) => untold("the specs cannot be run"),
            _ if specs => {
                self.infrastructure(saved, run).await?;
                untold("the run came to no verdict")
            }
            CANNOT_TELL => untold("the command said that it cannot tell"),
            // As `git bisect run` has it.
            1..=127 => (Answer::Bad, None),
            code => {
                let told = format!(
                    "the command ended with exit code {code}, which says nothing; its log is {}",
                    run.log
                );
                return Err(self.paused(told));
            }
        }))
    }

    /// Whether the engine still answers: that it does not is no fault of the point's.
    async fn infrastructure(&self, saved: &Saved, after: &Job) -> anyhow::Result<()> {
        if !saved.plan.test.boots() {
            return Ok(());
        }
        let log = self.folder.path().join("engine.log");
        let check = self.job(["list".to_owned()].into(), log, false);
        match check.run(&self.stop).await? {
            Ended::Code(0) | Ended::Stopped => Ok(()),
            _ => Err(self.paused(format!(
                "the engine does not answer any more:\n{}\n{}",
                check.tail(LINES),
                after.tail(LINES)
            ))),
        }
    }

    fn paused(&self, told: String) -> anyhow::Error {
        let path = self.folder.path();
        Told::cluster(told)
            .help(format!("nothing was recorded for it; `cargo kcluster bisect resume --dir {path}` goes on when it is mended"))
            .into()
    }

    /// Removes the cluster of this search, whoever made it.
    pub(super) async fn down(&self, saved: &Saved) -> anyhow::Result<()> {
        let words = ["down", "--name", &saved.plan.cluster]
            .map(str::to_owned)
            .into();
        let down = self.job(words, self.folder.path().join("down.log"), false);
        // Also when we are to stop: what we made goes with us.
        let ended = down.run(&CancellationToken::new()).await?;
        match ended {
            Ended::Code(0) => Ok(()),
            _ => Err(self.paused(format!(
                "the cluster could not be removed:\n{}",
                down.tail(LINES)
            ))),
        }
    }

    /// Removes what was built of a commit that is not needed any more: a gigabyte each would fill the disks of those who
    /// search long. Releases stay, for there are few, and others use them.
    pub(super) async fn forget(&self, saved: &Saved, point: &str) -> anyhow::Result<()> {
        let PointKind::Git { repository } = &saved.plan.points else {
            return Ok(());
        };
        let cache = Cache::open(&self.context.settings.cache_dir)?;
        if !Repository::open(&cache, repository)?
            .version(point)?
            .is_build()
        {
            return Ok(());
        }
        let mut words = vec!["images".to_owned(), "remove".to_owned()];
        words.extend(saved.plan.source_at(point));
        let log = self.folder.path().join("remove.log");
        let remove = self.job(words, log, false);
        if remove.run(&CancellationToken::new()).await? != Ended::Code(0) {
            self.context.hub.warn(&format_args!(
                "what was built of {} stays:\n{}",
                short(point),
                remove.tail(LINES)
            ));
        }
        Ok(())
    }

    /// What builds a point ahead of its turn.
    pub(super) fn ahead(&self, saved: &Saved, point: &str) -> anyhow::Result<Job> {
        self.build(saved, point, true)
    }

    fn build(&self, saved: &Saved, point: &str, low: bool) -> anyhow::Result<Job> {
        let mut words = vec!["images".to_owned(), "build".to_owned()];
        words.extend(saved.plan.at(point));
        let name = if low { "ahead.log" } else { "build.log" };
        Ok(self.job(words, self.folder.point(point)?.join(name), low))
    }

    fn boot(&self, saved: &Saved, point: &str) -> anyhow::Result<Job> {
        let mut words: Vec<String> = ["up", "--name", &saved.plan.cluster]
            .map(str::to_owned)
            .into();
        words.extend(saved.plan.at(point));
        Ok(self.job(words, self.folder.point(point)?.join("boot.log"), false))
    }

    fn run(&self, saved: &Saved, point: &str, number: usize) -> anyhow::Result<Job> {
        let place = self.folder.point(point)?;
        let log = place.join(format!("run-{number}.log"));
        let (cluster, settings) = (&saved.plan.cluster, &self.context.settings);
        match &saved.plan.test {
            Test::Specs { arguments } => {
                let report = place.join(format!("run-{number}"));
                let mut words: Vec<String> =
                    ["e2e", "--name", cluster, "--report-dir", report.as_str()]
                        .map(str::to_owned)
                        .into();
                words.extend(saved.plan.source_at(point));
                words.extend(arguments.iter().cloned());
                Ok(self.job(words, log, false))
            }
            Test::Command {
                words,
                folder,
                cluster: on_cluster,
            } => {
                let mut job = self.job(Vec::new(), log, false);
                job.words = words.iter().map(OsString::from).collect();
                job.folder.clone_from(folder);
                job.environment = vec![
                    ("KCLUSTER_BISECT_POINT", point.to_owned()),
                    ("KCLUSTER_CONFIG", self.folder.settings().into_string()),
                ];
                if *on_cluster {
                    let kubeconfig = settings
                        .state_dir
                        .join("clusters")
                        .join(cluster)
                        .join("kubeconfig");
                    job.environment
                        .push(("KUBECONFIG", kubeconfig.into_string()));
                    job.environment.push(("KCLUSTER_NAME", cluster.clone()));
                }
                Ok(job)
            }
        }
    }

    /// A kcluster with the search's settings.
    fn job(&self, words: Vec<String>, log: Utf8PathBuf, low: bool) -> Job {
        let config = ["--config".to_owned(), self.folder.settings().into_string()];
        let words = ["kcluster".to_owned()]
            .into_iter()
            .chain(words)
            .chain(config);
        Job {
            words: [self.program.clone()]
                .into_iter()
                .chain(words.map(OsString::from))
                .collect(),
            folder: self.folder.path().to_owned(),
            environment: Vec::new(),
            log,
            search: self.folder.path().to_owned(),
            low,
        }
    }

    fn tell(&self, point: &str, what: &str) {
        self.context
            .hub
            .note(&format_args!("{}: {what}", short(point)));
    }
}
