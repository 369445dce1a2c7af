//! `e2e [SUBSTRING]`; what it does is in [`super::e2e`].

pub(crate) use super::e2e::E2e as Args;
