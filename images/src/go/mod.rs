//! The host's Go toolchain, and what is built with it.

mod components;
mod kubernetes;
mod product;
mod toolchain;

pub(crate) use components::{Component, components_digest, embedded_digest, module_version};
pub(crate) use kubernetes::KubernetesModule;
pub(crate) use product::{Bundle, Product};
pub(crate) use toolchain::Go;
