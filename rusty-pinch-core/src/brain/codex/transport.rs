//! One account as a brain, whichever way the CLI is called.

use std::sync::Arc;

use super::CodexBrain;
use super::app_server::CodexAppServerBrain;
use super::config::{CodexConfig, CodexInvocation};
use super::quota::QuotaGauge;
use crate::brain::{Brain, CodexTransport};
use crate::sys::{Clock, Spawn};

/// The account that `config` describes, called through `transport`. What is heard about its quota is left in `quota`,
/// which takes [`CodexTransport::AppServer`]. An invocation of one's own is run as it is, whatever the transport.
pub fn codex_brain(
    transport: CodexTransport,
    config: CodexConfig,
    spawn: Arc<dyn Spawn>,
    clock: Arc<dyn Clock>,
    quota: Arc<QuotaGauge>,
) -> Arc<dyn Brain> {
    match (transport, &config.invocation) {
        (CodexTransport::AppServer, CodexInvocation::BuiltIn { overrides }) => {
            let overrides = overrides.clone();
            Arc::new(CodexAppServerBrain::with_overrides(config, overrides, spawn, clock, quota))
        }
        _ => Arc::new(CodexBrain::new(config, spawn, clock)),
    }
}
