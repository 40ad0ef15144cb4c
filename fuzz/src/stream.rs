//! A streamed answer of a model server: the same answer or error wherever the network cut it.

use std::sync::{Arc, LazyLock, Mutex};

use rusty_pinch_core::{Completion, Delta, Deltas, HttpBrain, HttpBrainConfig, HttpPreset};

static BRAIN: LazyLock<HttpBrain> = LazyLock::new(|| {
    let config = HttpBrainConfig {
        base_url: Some("http://127.0.0.1:9/v1".to_owned()),
        model: Some("fuzz".to_owned()),
        ..HttpBrainConfig::new(HttpPreset::Compatible)
    };
    HttpBrain::new(config).expect("a brain")
});

/// The most calls and the most text that an answer of some bytes can hold are less than the bytes.
pub fn check(bytes: &[u8]) {
    let whole = read([bytes]);
    assert_eq!(read(bytes.chunks(1)), whole, "byte by byte");
    let cut = bytes.first().map_or(0, |byte| usize::from(*byte) * bytes.len() / 256);
    let (before, after) = bytes.split_at(cut);
    assert_eq!(read([before, after]), whole, "cut at {cut}");
    if let (preview, Ok(completion)) = &whole {
        assert_eq!(*preview, completion.content, "the preview is the answer");
        assert!(completion.calls.iter().all(|call| !call.name.is_empty()), "a call without a name");
    }
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Result<Completion, String>) {
    let preview = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&preview);
    let deltas = Deltas::new(move |delta| {
        if let Delta::Text(text) = delta {
            sink.lock().expect("no poison").push_str(text);
        }
    });
    let read = BRAIN.read_stream(pieces, &deltas).map_err(|error| error.to_string());
    let preview = std::mem::take(&mut *preview.lock().expect("no poison"));
    (preview, read)
}
