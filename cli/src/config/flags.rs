//! Flags, made from the table of keys.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::keys::{KEYS, Layer};
use super::table::{Group, Key};

macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $name:ident = $group:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default)]
        pub struct $name(pub Box<Layer>);

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                command.args(of(Group::$group).map(arg))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                let mut layer = Layer::default();
                for key in of(Group::$group) {
                    (key.take_flag)(key, matches, &mut layer);
                }
                Ok(Self(Box::new(layer)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                let below = std::mem::take(&mut *self.0);
                *self.0 = Self::from_arg_matches(matches)?.0.over(below);
                Ok(())
            }
        }
    )+};
}

flags! {
    /// Flags of every command.
    GlobalFlags = Global;
    /// `--name`.
    NameFlag = Name;
    /// What a node image is made of.
    ImageFlags = Image;
    /// Where Kubernetes comes from.
    SourceFlags = Source;
    /// What a cluster is like.
    ClusterFlags = Cluster;
    /// How specs are run.
    TestFlags = Tests;
    /// `--report-dir`.
    ReportFlag = Report;
    /// What is certified.
    ProductFlags = Product;
    /// Many cells.
    MatrixFlags = Matrix;
}

fn of(group: Group) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.group == group)
}

fn arg(key: &'static Key) -> Arg {
    let doc = key.doc();
    let first = doc.lines().next().unwrap_or_default().trim_end_matches('.');
    let default = key.default_text();
    let variable = key.variable();
    let arg = Arg::new(key.field)
        .long(key.name())
        .value_name(key.hint)
        .help(format!("{first} [default: {default}]"))
        .long_help(format!(
            "{doc}\n\n[variable: {variable}] [default: {default}]"
        ))
        .global(key.group == Group::Global);
    let arg = match key.group {
        Group::Global => arg.help_heading("Global options"),
        Group::Image => arg.help_heading("Image options"),
        Group::Source => arg.help_heading("Source options"),
        Group::Cluster => arg.help_heading("Cluster options"),
        Group::Tests => arg.help_heading("Test options"),
        Group::Matrix => arg.help_heading("Matrix options"),
        Group::Name | Group::Report | Group::Product => arg,
    };
    let arg = match key.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    (key.arg)(arg)
}
