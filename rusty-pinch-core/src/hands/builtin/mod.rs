//! The tools that every agent has. None reaches the network, and none needs approval.

mod model_info;

use std::sync::Arc;

use super::Toolbox;
use crate::brain::BrainInfo;
use crate::store::Store;
use crate::sys::Clock;

/// The built-in tools: what they tell comes from `store`, `clock` and `brain`.
pub fn toolbox(_store: Arc<dyn Store>, _clock: Arc<dyn Clock>, brain: &BrainInfo) -> Toolbox {
    Toolbox::new().tool(model_info::tool(brain))
}
