//! Which text of an attempt was shown, so that the next one can void it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::brain::{Delta, Deltas};

/// The deltas of a request, watched while its attempts write to them.
pub(super) struct Preview {
    deltas: Deltas,
    watched: Deltas,
    shown: Arc<AtomicBool>,
}

impl Preview {
    pub(super) fn new(deltas: &Deltas) -> Self {
        let shown = Arc::new(AtomicBool::new(false));
        if !deltas.is_listened_to() {
            return Self { deltas: Deltas::none(), watched: Deltas::none(), shown };
        }
        let (writing, noting) = (deltas.clone(), Arc::clone(&shown));
        let watched = Deltas::new(move |delta| match delta {
            Delta::Text(text) => {
                noting.store(true, Ordering::Relaxed);
                writing.text(text);
            }
            Delta::Restarted => {
                noting.store(false, Ordering::Relaxed);
                writing.restarted();
            }
        });
        Self { deltas: deltas.clone(), watched, shown }
    }

    /// Begins an attempt: what the one before has shown is void. Gives what the attempt writes to.
    pub(super) fn begin(&self) -> &Deltas {
        if self.shown.swap(false, Ordering::Relaxed) {
            self.deltas.restarted();
        }
        &self.watched
    }
}
