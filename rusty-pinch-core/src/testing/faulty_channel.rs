//! A channel that fails and crashes where a [`FaultPlan`] says.

use std::sync::Arc;

use async_trait::async_trait;

use super::faults::{FaultPlan, Moment};
use crate::channel::{Channel, ChannelError, ChannelInfo, Delivery, Inbound, InboundId, Outbound};

/// A channel whose receives, acknowledgements and sends are effects of a plan. A send that was to fail before it
/// happened is [`ChannelError::NotSent`], one that failed afterwards [`ChannelError::Lost`].
#[derive(Clone, Debug)]
pub struct FaultyChannel<C> {
    inner: C,
    plan: Arc<FaultPlan>,
}

impl<C: Channel> FaultyChannel<C> {
    /// Wraps `inner`.
    pub fn new(inner: C, plan: &Arc<FaultPlan>) -> Self {
        Self { inner, plan: Arc::clone(plan) }
    }
}

fn why(moment: Moment) -> String {
    format!("an injected fault ({moment:?})")
}

#[async_trait]
impl<C: Channel> Channel for FaultyChannel<C> {
    fn info(&self) -> &ChannelInfo {
        self.inner.info()
    }

    async fn receive(&self) -> Result<Option<Inbound>, ChannelError> {
        self.plan.pass("receive", self.inner.receive(), |moment| ChannelError::Receive { why: why(moment) }).await
    }

    async fn acknowledge(&self, id: &InboundId) -> Result<(), ChannelError> {
        let what = format!("acknowledge {}", id.0);
        let error = |moment| ChannelError::Receive { why: why(moment) };
        self.plan.pass(&what, self.inner.acknowledge(id), error).await
    }

    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError> {
        let what = format!("send {}", outbound.key);
        let error = |moment| match moment {
            Moment::Before => ChannelError::NotSent { why: why(moment), retry_at: None },
            Moment::Within | Moment::After => ChannelError::Lost { why: why(moment) },
        };
        self.plan.pass(&what, self.inner.send(outbound), error).await
    }
}
