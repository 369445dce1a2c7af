//! A matrix as a file would give it.

use std::fmt::Display;

use kcluster_matrix::plan::{Axes, MatrixSpec, SuiteSpec};
use toml::{Table, Value};

/// The whole of it.
pub(super) fn matrix(spec: &MatrixSpec) -> Table {
    let mut table = axes(&spec.axes);
    put(&mut table, "suites", texts(&spec.suites));
    put(&mut table, "include", tables(spec.include.iter().map(axes)));
    let exclude = spec.exclude.iter().map(|exclude| {
        let mut table = axes(&exclude.which);
        if let Some(reason) = &exclude.reason {
            table.insert("reason".to_owned(), reason.clone().into());
        }
        table
    });
    put(&mut table, "exclude", tables(exclude));
    let overrides = spec.overrides.iter().map(|one| {
        let mut table = Table::new();
        table.insert("when".to_owned(), Value::Table(axes(&one.when)));
        if let Some(suites) = &one.suites {
            put(&mut table, "suites", texts(suites));
        }
        for (name, value) in &one.settings {
            table.insert(name.clone(), value.clone().into());
        }
        table
    });
    put(&mut table, "override", tables(overrides));
    if !spec.named.is_empty() {
        let named = spec.named.iter();
        let named = named
            .map(|(name, spec)| (name.clone(), suite(spec)))
            .collect();
        table.insert("suite".to_owned(), Value::Table(named));
    }
    table
}

fn axes(axes: &Axes) -> Table {
    let mut table = Table::new();
    put(&mut table, "kubernetes", texts(&axes.kubernetes));
    put(&mut table, "cni", texts(&axes.cni));
    put(&mut table, "arch", texts(&axes.arch));
    let nodes = axes
        .nodes
        .iter()
        .map(|count| Value::from(i64::from(*count)));
    put(&mut table, "nodes", nodes.collect());
    for (name, values) in &axes.settings {
        put(&mut table, name, texts(values));
    }
    table
}

fn suite(spec: &SuiteSpec) -> Value {
    // Strings, lists and numbers always become TOML.
    Value::try_from(spec).unwrap_or_else(|_| Value::Table(Table::new()))
}

fn texts<T: Display>(values: &[T]) -> Vec<Value> {
    values
        .iter()
        .map(|value| Value::String(value.to_string()))
        .collect()
}

fn tables(tables: impl Iterator<Item = Table>) -> Vec<Value> {
    tables.map(Value::Table).collect()
}

fn put(table: &mut Table, name: &str, values: Vec<Value>) {
    if !values.is_empty() {
        table.insert(name.to_owned(), Value::Array(values));
    }
}
