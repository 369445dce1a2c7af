//! `bisect`, and `bisect status`, `resume`, `log`, `report`, `issue`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use jiff::Timestamp;
use kcluster_matrix::bisect::{Goal, Next, Rule, Search, git_log};
use kcluster_matrix::{KubeVersion, exit};
use kcluster_reports::bisect::{Finding, short};
use kcluster_reports::junit;

use crate::bisect::{Asked, Folder, Plan, Saved, Test, drive, find};
use crate::config::{self, ClusterFlags, ImageFlags, Layer, SourceFlags, TestFlags, Timeout};
use crate::context::Context;
use crate::error::Told;
use crate::github;
use crate::report;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    begin: Begin,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Show how far a search is
    Status(Where),
    /// Go on with a search that was stopped or killed
    Resume {
        #[command(flatten)]
        at: Where,
        /// Stop in order after this long
        #[arg(long, value_name = "DURATION")]
        budget: Option<Timeout>,
    },
    /// Print the log in git's own format, for `git bisect replay`
    Log(Where),
    /// Print a report in Markdown, and write Markdown, JSON and JUnit into a folder
    Report {
        #[command(flatten)]
        at: Where,
        /// Folder to write bisect.md, result.json and junit.xml into
        #[arg(long, value_name = "FOLDER")]
        output: Option<Utf8PathBuf>,
    },
    /// Open an issue on GitHub about the culprit, or bring the one there is up to date
    ///
    /// The token is taken from GITHUB_TOKEN, the API's address from GITHUB_API_URL.
    Issue {
        #[command(flatten)]
        at: Where,
        #[command(flatten)]
        github: github::Flags,
    },
}

/// A search that was begun.
#[derive(Debug, clap::Args)]
struct Where {
    /// Folder of the search; without it, the last one that was begun
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Begin {
    /// A point that is good: a revision, a date, a version, last-green, or a marker such as ci/latest
    #[arg(long, value_name = "POINT")]
    good: Option<String>,
    /// A point that is bad
    #[arg(long, value_name = "POINT")]
    bad: Option<String>,
    /// With versions: one more between the two, which Go's module proxy does not list; may be repeated
    #[arg(long, value_name = "VERSION")]
    also: Vec<KubeVersion>,
    /// Look for the first good point after a bad one
    #[arg(long)]
    find_fix: bool,
    /// Folder of the search; without it, a new one of the state folder
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,
    /// Stop in order after this long
    #[arg(long, value_name = "DURATION")]
    budget: Option<Timeout>,
    /// Only specs whose name matches this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    focus: Vec<String>,
    /// No specs whose name matches this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    skip: Vec<String>,
    /// Specs with these labels, instead of Conformance
    #[arg(long, value_name = "FILTER")]
    label_filter: Option<String>,
    /// Only what failed in an earlier run: its report's folder
    #[arg(long, value_name = "DIR")]
    rerun_failed: Option<Utf8PathBuf>,
    /// Share of runs that fail on good points, for a flaky spec
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    fails_on_good: f64,
    /// Share of runs that fail on bad points
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    fails_on_bad: f64,
    /// How probable a wrong answer may be, with a flaky spec
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    error: f64,
    /// Stored results of earlier days, for last-green
    #[arg(long, value_name = "FILE")]
    results: Option<Utf8PathBuf>,
    /// Run the command without a cluster
    #[arg(long, requires = "command_words")]
    no_cluster: bool,
    /// Run this instead of specs: exit code 0 is good, 125 cannot tell, others are bad
    #[arg(last = true, value_name = "CMD", id = "command_words")]
    words: Vec<String>,
    #[command(flatten)]
    cluster: ClusterFlags,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    source: SourceFlags,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        let begin = &self.begin;
        Layer::of([
            &begin.cluster.0,
            &begin.image.0,
            &begin.tests.0,
            &begin.source.0,
        ])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        match self.command {
            None => self.begin.run(context).await,
            Some(Sub::Status(at)) => status(&context, &at),
            Some(Sub::Resume { at, budget }) => {
                context.follow()?;
                let (folder, saved) = Folder::resume(&at.folder(&context)?)?;
                work(&context, &folder, saved, budget).await
            }
            Some(Sub::Log(at)) => {
                let saved = Folder::look(&at.folder(&context)?)?;
                context.printer.data(&git_log(&saved.search));
                Ok(exit::PASSED)
            }
            Some(Sub::Report { at, output }) => {
                let saved = Folder::look(&at.folder(&context)?)?;
                if let Some(output) = output {
                    write(&saved, &context.host.folder.join(output))?;
                }
                let (test, again) = (saved.plan.test.shown(), saved.reproduce());
                context
                    .printer
                    .data(&saved.bisect(&test, &again).markdown());
                Ok(exit::PASSED)
            }
            Some(Sub::Issue { at, github }) => {
                let saved = Folder::look(&at.folder(&context)?)?;
                let (test, again) = (saved.plan.test.shown(), saved.reproduce());
                let finding = Finding::of(&saved.bisect(&test, &again));
                github::work(&context, &github, &[finding], &[]).await
            }
        }
    }
}

impl Where {
    fn folder(&self, context: &Context) -> anyhow::Result<Utf8PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(context.host.folder.join(dir));
        }
        let text = fs_err::read_to_string(last(context)).map_err(|_| {
            Told::input("no search is remembered").help("give the folder of one with --dir")
        })?;
        Ok(text.trim_end().into())
    }
}

/// Where the folder of the last search is remembered.
fn last(context: &Context) -> Utf8PathBuf {
    context.settings.state_dir.join("last-bisect")
}

impl Begin {
    async fn run(self, context: Context) -> anyhow::Result<u8> {
        let (Some(good), Some(bad)) = (&self.good, &self.bad) else {
            return Err(Told::input("a search needs both ends")
                .help("give --good and --bad, such as --good v1.36.0 --bad HEAD")
                .into());
        };
        let goal = if self.find_fix {
            Goal::FirstGood
        } else {
            Goal::FirstBad
        };
        let rule = Rule {
            fails_on_good: self.fails_on_good,
            fails_on_bad: self.fails_on_bad,
            error: self.error,
            ..Rule::default()
        };
        let rule = rule
            .checked()
            .map_err(|error| Told::input(error.to_string()))?;
        let settings = &context.settings;
        let cell = cell(&context);
        let asked = Asked {
            good,
            bad,
            goal,
            also: &self.also,
            results: self.results.as_deref(),
            cell: &cell,
        };
        let found = find(&context, &asked).await?;
        let ends = (found.good.as_str(), found.bad.as_str());
        let search = Search::new(found.history, goal, ends, rule)
            .map_err(|error| Told::input(error.to_string()))?;
        let begun = Timestamp::now();
        let name = format!("bisect-{}", begun.strftime("%m%d-%H%M%S"));
        let path = match &self.dir {
            Some(dir) => context.host.folder.join(dir),
            None => settings.state_dir.join("bisect").join(&name),
        };
        let plan = Plan {
            points: found.kind,
            test: self.test(&context)?,
            cell,
            cluster: name,
            good: good.clone(),
            bad: bad.clone(),
            begun,
        };
        let folder = Folder::create(&path, &config::as_toml(settings))?;
        let saved = Saved::new(plan, search);
        folder.save(&saved)?;
        fs_err::create_dir_all(&settings.state_dir)?;
        fs_err::write(last(&context), format!("{}\n", folder.path()))?;
        context.follow()?;
        work(&context, &folder, saved, self.budget).await
    }

    fn test(&self, context: &Context) -> anyhow::Result<Test> {
        if !self.words.is_empty() {
            return Ok(Test::Command {
                words: self.words.clone(),
                folder: context.host.folder.clone(),
                cluster: !self.no_cluster,
            });
        }
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: &str| {
            arguments.push(flag.to_owned());
            arguments.push(value.to_owned());
        };
        self.focus.iter().for_each(|value| add("--focus", value));
        self.skip.iter().for_each(|value| add("--skip", value));
        if let Some(filter) = &self.label_filter {
            add("--label-filter", filter);
        }
        if let Some(folder) = &self.rerun_failed {
            add("--rerun-failed", context.host.folder.join(folder).as_str());
        }
        if arguments.is_empty() {
            return Err(Told::input("nothing says what to test at each point")
                .help("give --focus, --label-filter or --rerun-failed, or a command after `--`")
                .into());
        }
        Ok(Test::Specs { arguments })
    }
}

/// The cell, without its version: that is what varies.
fn cell(context: &Context) -> String {
    let settings = &context.settings;
    let arch = settings.arch.given().copied();
    let arch = arch.or_else(|| kcluster_images::host_arch().ok());
    let arch = arch.map_or_else(|| "auto".to_owned(), |arch| arch.to_string());
    format!("{}-{arch}", settings.cni)
}

async fn work(
    context: &Context,
    folder: &Folder,
    mut saved: Saved,
    budget: Option<Timeout>,
) -> anyhow::Result<u8> {
    let result = drive(context, folder, &mut saved, budget.map(|budget| budget.0)).await;
    context.hub.finish();
    write(&saved, folder.path())?;
    let (test, again) = (saved.plan.test.shown(), saved.reproduce());
    let bisect = saved.bisect(&test, &again);
    if result.is_ok() {
        context
            .printer
            .tell(&format!("report: {}", folder.path().join("bisect.md")));
        context.printer.data(&bisect.headline());
    }
    result
}

/// Writes all forms of the report.
fn write(saved: &Saved, folder: &Utf8Path) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let (test, again) = (saved.plan.test.shown(), saved.reproduce());
    let bisect = saved.bisect(&test, &again);
    fs_err::write(folder.join("bisect.md"), bisect.markdown())?;
    fs_err::write(folder.join("result.json"), bisect.json()?)?;
    let suite = bisect.suite(&report::host());
    fs_err::write(folder.join("junit.xml"), junit::render(&[suite])?)?;
    fs_err::write(folder.join("git-bisect.log"), git_log(&saved.search))?;
    Ok(())
}

fn status(context: &Context, at: &Where) -> anyhow::Result<u8> {
    let path = at.folder(context)?;
    let saved = Folder::look(&path)?;
    let (test, again) = (saved.plan.test.shown(), saved.reproduce());
    let bisect = saved.bisect(&test, &again);
    let search = &saved.search;
    let mut lines = vec![
        bisect.headline(),
        format!("folder: {path}"),
        format!("test: {test}"),
        format!(
            "{} of {} points left, {} boots, {} runs",
            search.left(),
            search.candidates(),
            bisect.boots(),
            bisect.runs()
        ),
    ];
    for verdict in search.verdicts() {
        lines.push(format!("{} {}", short(&verdict.point), verdict.answer));
    }
    if let Next::Test { point, runs } = search.next() {
        lines.push(format!("next: {} after {runs} runs of it", short(&point)));
    }
    context.printer.data(&lines.join("\n"));
    Ok(exit::PASSED)
}
