//! Whether what an image says of itself agrees with the programs in it. Pure.

use std::collections::BTreeSet;

use super::elf::{Machine, Program};
use super::rootfs::{Item, Rootfs};
use super::{Config, Finding, Platform, Problem};

/// Scripts that name scripts, before giving up.
const SCRIPTS: usize = 4;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where loaders look when nothing says otherwise.
const LIBRARIES: [&str; 5] = ["lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib"];

/// Everything that is wrong, and what is merely odd, with one platform of an image.
pub(super) fn check(declared: Option<&Platform>, config: &Config, rootfs: &Rootfs) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = config.platform();
    if let Some(declared) = declared {
        platforms(declared, &own, &mut findings);
    }
    let platform = declared.unwrap_or(&own);
    if platform.os != "linux" {
        findings.push(Finding::odd(Problem::OtherSystem {
            os: platform.os.clone(),
        }));
        return findings;
    }
    let Some(machine) = Machine::of_architecture(&platform.architecture) else {
        findings.push(Finding::odd(Problem::UnknownArchitecture {
            architecture: platform.architecture.clone(),
        }));
        return findings;
    };
    let mut checker = Checker {
        machine,
        config,
        rootfs,
        findings,
        seen: BTreeSet::new(),
    };
    checker.start();
    checker.sweep();
    checker.findings
}

fn platforms(declared: &Platform, own: &Platform, findings: &mut Vec<Finding>) {
    if (&declared.os, &declared.architecture) != (&own.os, &own.architecture) {
        findings.push(Finding::wrong(Problem::Mislabelled {
            index: declared.to_string(),
            config: own.to_string(),
        }));
    } else if let (Some(index), Some(config)) = (&declared.variant, &own.variant)
        && index != config
    {
        findings.push(Finding::odd(Problem::Mislabelled {
            index: declared.to_string(),
            config: own.to_string(),
        }));
    }
}

struct Checker<'a> {
    machine: Machine,
    config: &'a Config,
    rootfs: &'a Rootfs,
    findings: Vec<Finding>,
    /// Files that were judged.
    seen: BTreeSet<String>,
}

impl Checker<'_> {
    /// What the container starts with.
    fn start(&mut self) {
        let (first, second) = match (self.config.entrypoint.first(), self.config.cmd.first()) {
            (Some(entrypoint), cmd) => (entrypoint, cmd),
            (None, Some(cmd)) => (cmd, None),
            (None, None) => {
                self.findings.push(Finding::odd(Problem::NothingToRun));
                return;
            }
        };
        let (first, second) = (first.clone(), second.cloned());
        self.command(&first, SCRIPTS);
        // An entrypoint often ends by becoming the command; where it is no program, it is an argument.
        if let Some(second) = second
            && self.resolve(&second).is_some()
        {
            self.command(&second, SCRIPTS);
        }
    }

    /// A program by the name it is called by.
    fn command(&mut self, name: &str, scripts: usize) {
        let Some((path, item)) = self.resolve(name) else {
            self.findings.push(Finding::wrong(Problem::NoEntrypoint {
                name: name.to_owned(),
            }));
            return;
        };
        match item {
            Item::Program { program, .. } => self.program(&path, &program),
            Item::Broken { machine, why } => self.broken(&path, machine, why),
            Item::Script(line) => {
                let mut words = line.split_whitespace();
                let Some(interpreter) = words.next().map(str::to_owned) else {
                    self.findings
                        .push(Finding::wrong(Problem::NotAProgram { path }));
                    return;
                };
                if scripts == 0 {
                    return;
                }
                if self.rootfs.find(&interpreter).is_none() {
                    self.findings
                        .push(Finding::wrong(Problem::NoInterpreter { path, interpreter }));
                    return;
                }
                let through_env = interpreter.ends_with("/env");
                let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
                let named = named.filter(|_| through_env).map(str::to_owned);
                self.command(&interpreter, scripts - 1);
                if let Some(named) = named {
                    self.command(&named, scripts - 1);
                }
            }
            Item::Dir | Item::Text(_) | Item::Other { .. } | Item::Symlink(_) => {
                self.findings
                    .push(Finding::wrong(Problem::NotAProgram { path }));
            }
        }
    }

    fn resolve(&self, name: &str) -> Option<(String, Item)> {
        let found = |path: &str| {
            let (path, item) = self.rootfs.find(path)?;
            (item != &Item::Dir).then(|| (path, item.clone()))
        };
        if name.starts_with('/') {
            return found(name);
        }
        if name.contains('/') {
            return found(&format!("{}/{name}", self.config.working_dir));
        }
        self.search_path()
            .find_map(|folder| found(&format!("{folder}/{name}")))
    }

    fn search_path(&self) -> impl Iterator<Item = &str> {
        self.variable("PATH")
            .unwrap_or(DEFAULT_PATH)
            .split(':')
            .filter(|folder| !folder.is_empty())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.config.env.iter().find_map(|variable| {
            let (known, value) = variable.split_once('=')?;
            (known == name).then_some(value)
        })
    }

    fn broken(&mut self, path: &str, machine: Option<Machine>, why: String) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        if let Some(machine) = machine.filter(|machine| *machine != self.machine) {
            self.wrong_machine(path, machine, Finding::wrong);
        } else {
            self.findings.push(Finding::wrong(Problem::Unreadable {
                path: path.to_owned(),
                why,
            }));
        }
    }

    fn wrong_machine(&mut self, path: &str, machine: Machine, weight: fn(Problem) -> Finding) {
        let weight: fn(Problem) -> Finding = if self.machine.runs_also(machine) {
            Finding::odd
        } else {
            weight
        };
        self.findings.push(weight(Problem::WrongMachine {
            path: path.to_owned(),
            wanted: self.machine,
            found: machine,
        }));
    }

    /// A program that is to run here, with its loader and all its libraries.
    fn program(&mut self, path: &str, program: &Program) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        if program.machine != self.machine {
            self.wrong_machine(path, program.machine, Finding::wrong);
            return;
        }
        let loader = program.interpreter.as_deref();
        if let Some(loader) = loader {
            match self
                .rootfs
                .find(loader)
                .map(|(path, item)| (path, item.clone()))
            {
                None => self.findings.push(Finding::wrong(Problem::NoLoader {
                    path: path.to_owned(),
                    loader: loader.to_owned(),
                })),
                Some((loader, Item::Program { program, .. })) => self.program(&loader, &program),
                Some((loader, _)) => {
                    self.findings
                        .push(Finding::wrong(Problem::NotAProgram { path: loader }));
                }
            }
        }
        self.libraries(path, program, loader);
    }

    fn libraries(&mut self, path: &str, program: &Program, loader: Option<&str>) {
        for name in &program.needed {
            // musl's loader is its C library too.
            let is_loader = loader.is_some_and(|loader| loader.contains("ld-musl"))
                && (name.starts_with("libc.musl") || name == "libc.so");
            if is_loader {
                continue;
            }
            let mut other = None;
            let mut found = None;
            for folder in self.library_folders(path, program) {
                let Some((place, Item::Program { program, .. })) =
                    self.rootfs.find(&format!("{folder}/{name}"))
                else {
                    continue;
                };
                // A loader passes over what is of another machine.
                if program.machine == self.machine {
                    found = Some((place, program.clone()));
                    break;
                }
                other.get_or_insert((place, program.machine));
            }
            match (found, other) {
                (Some((place, library)), _) => {
                    if self.seen.insert(place.clone()) {
                        self.libraries(&place, &library, loader);
                    }
                }
                (None, Some((place, machine))) => {
                    if self.seen.insert(place.clone()) {
                        self.wrong_machine(&place, machine, Finding::wrong);
                    }
                }
                (None, None) => {
                    if self.seen.insert(format!("missing {name}")) {
                        self.findings.push(Finding::wrong(Problem::NoLibrary {
                            path: path.to_owned(),
                            library: name.clone(),
                        }));
                    }
                }
            }
        }
    }

    fn library_folders(&self, path: &str, program: &Program) -> Vec<String> {
        let origin = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut folders: Vec<String> = program
            .paths
            .iter()
            .map(|folder| {
                folder
                    .replace("${ORIGIN}", origin)
                    .replace("$ORIGIN", origin)
            })
            .collect();
        let variable = self.variable("LD_LIBRARY_PATH").unwrap_or_default();
        folders.extend(
            variable
                .split(':')
                .filter(|folder| !folder.is_empty())
                .map(str::to_owned),
        );
        for (path, item) in self.rootfs.iter() {
            let Item::Text(text) = item else { continue };
            if path == "etc/ld.so.conf"
                || path.starts_with("etc/ld.so.conf.d/")
                || path.starts_with("etc/ld-musl-")
            {
                folders.extend(
                    text.split(['\n', ':'])
                        .map(str::trim)
                        .filter(|line| line.starts_with('/'))
                        .map(str::to_owned),
                );
            }
        }
        folders.extend(LIBRARIES.map(str::to_owned));
        // Debian's folders for one architecture each.
        let mut own: BTreeSet<String> = BTreeSet::new();
        for (path, _) in self.rootfs.iter() {
            for base in ["lib/", "usr/lib/"] {
                if let Some((folder, _)) = path
                    .strip_prefix(base)
                    .and_then(|rest| rest.split_once('/'))
                    && folder.contains("-linux-")
                {
                    own.insert(format!("{base}{folder}"));
                }
            }
        }
        folders.extend(own);
        folders
    }

    /// Programs and libraries of other machines, and programs without their loader, wherever they lie.
    fn sweep(&mut self) {
        let on_path: BTreeSet<String> = self
            .search_path()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .iter()
            .filter_map(|folder| self.rootfs.find(folder))
            .map(|(folder, _)| folder)
            .collect();
        let all: Vec<(String, Item)> = self
            .rootfs
            .iter()
            .map(|(path, item)| (path.to_owned(), item.clone()))
            .collect();
        for (path, item) in all {
            let (machine, program) = match &item {
                Item::Program { program, .. } => (program.machine, Some(program)),
                Item::Broken {
                    machine: Some(machine),
                    ..
                } => (*machine, None),
                _ => continue,
            };
            if self.seen.contains(&path) {
                continue;
            }
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let usual = on_path.contains(folder) || LIBRARIES.contains(&folder);
            if machine != self.machine {
                self.seen.insert(path.clone());
                let weight: fn(Problem) -> Finding =
                    if usual { Finding::wrong } else { Finding::odd };
                self.wrong_machine(&path, machine, weight);
            } else if let Some(loader) = program.and_then(|program| program.interpreter.as_ref())
                && on_path.contains(folder)
                && self.rootfs.find(loader).is_none()
            {
                self.findings.push(Finding::odd(Problem::NoLoader {
                    path: path.clone(),
                    loader: loader.clone(),
                }));
            }
        }
    }
}
