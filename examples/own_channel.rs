//! Bring your own channel: here two lists, as a chat service would be two requests.
//!
//! `cargo run -p rusty-pinch-examples --bin own-channel`

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rusty_pinch_core::{
    Agent, Channel, ChannelError, ChannelInfo, ChannelWorker, Delivery, Inbound, InboundId, LocalBrain, Outbound,
    Timestamp,
};

#[derive(Debug)]
struct Letters {
    info: ChannelInfo,
    coming: Mutex<VecDeque<Inbound>>,
}

#[async_trait]
impl Channel for Letters {
    fn info(&self) -> &ChannelInfo {
        &self.info
    }

    async fn receive(&self) -> Result<Option<Inbound>, ChannelError> {
        Ok(self.coming.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
    }

    async fn acknowledge(&self, _: &InboundId) -> Result<(), ChannelError> {
        Ok(())
    }

    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError> {
        println!("to {}: {}", outbound.chat, outbound.text);
        Ok(Delivery { id: None })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let letter = |id: &str, text: &str| Inbound {
        id: InboundId(id.into()),
        chat: "ann".into(),
        from: "ann".into(),
        text: text.into(),
        at: Timestamp::EPOCH,
    };
    let coming = [letter("1", "remember that the bins go out on Tuesday"), letter("2", "what is 6 * 7?")];
    let info = ChannelInfo { name: "letters".into(), dedupes: false, text_units_max: 4096 };
    let letters = Letters { info, coming: Mutex::new(coming.into()) };
    ChannelWorker::new(Agent::new(LocalBrain::default()), letters).run().await?;
    Ok(())
}
