//! One file per command: what it takes, and the one function it calls.

mod bench;
mod bisect;
mod clean;
mod completions;
mod config;
mod doctor;
mod down;
pub(crate) mod e2e;
mod e2e_parallel;
mod e2e_serial;
mod events;
mod exec;
mod images;
mod kubeconfig;
mod kubectl;
mod list;
mod load;
mod logs;
mod man;
mod matrix;
mod nodes;
mod report;
mod resume;
mod reup;
mod run;
mod snapshot;
mod suspend;
mod top;
mod trend;
pub(crate) mod up;

use clap::Subcommand;

use crate::config::Layer;
use crate::context::Context;

macro_rules! commands {
    ($($(#[$attribute:meta])+ $variant:ident($module:ident);)+) => {
        /// What to do.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])+ $variant($module::Args),)+
        }

        impl Command {
            /// What its flags say about settings.
            pub(crate) fn layer(&self) -> Layer {
                match self { $(Self::$variant(args) => args.layer(),)+ }
            }

            /// Does it; the answer is the exit code.
            pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
                match self { $(Self::$variant(args) => args.run(context).await,)+ }
            }
        }
    };
}

commands! {
    /// Boot a cluster; nothing happens if it is up already
    Up(up);
    /// Remove a cluster
    Down(down);
    /// Freeze all nodes of a cluster
    Suspend(suspend);
    /// Let the nodes of a suspended cluster go on, and tell what the pause did to pods
    Resume(resume);
    /// Keep what a cluster holds, and start from it again
    Snapshot(snapshot);
    /// Put rebuilt binaries into a cluster, started from a snapshot if it is not up
    Reup(reup);
    /// Remove all of kcluster's: clusters, node images and caches; nothing else is touched
    Clean(clean);
    /// Measure boots, disk, memory and images on this machine
    Bench(bench);
    /// Run conformance specs in parallel, the serial ones left out
    E2e(e2e_parallel);
    /// Run the conformance specs that must run alone
    E2eSerial(e2e_serial);
    /// Plan and run many cells: versions, network plugins, architectures
    Matrix(matrix);
    /// Run a command in every cell, with KUBECONFIG set
    Run(run);
    /// Find the first bad commit or version between a good and a bad one
    Bisect(bisect);
    /// Build, list and remove node images
    Images(images);
    /// List the clusters of the engine
    List(list);
    /// List the nodes of a cluster
    Nodes(nodes);
    /// Run a command in a node
    Exec(exec);
    /// Run kubectl of the cluster's own version
    Kubectl(kubectl);
    /// Show what happened in a cluster: `kubectl events`, of all namespaces unless told otherwise
    Events(events);
    /// Show what nodes use, or with `pods` what pods use: `kubectl top`; the cluster needs metrics-server
    Top(top);
    /// Print the path of a cluster's kubeconfig
    Kubeconfig(kubeconfig);
    /// Merge reports, show them, and bundle one for the conformance programme
    Report(report);
    /// Keep results of many days, and show what changed
    Trend(trend);
    /// Load images into the nodes of a cluster
    Load(load);
    /// Collect everything there is to know about a cluster in a folder
    Logs(logs);
    /// Check engine and machine, each finding with its remedy
    Doctor(doctor);
    /// Show every setting with where it comes from, or start a file of them
    Config(config);
    /// Print completions for a shell
    Completions(completions);
    /// Write manual pages into a folder
    Man(man);
}
