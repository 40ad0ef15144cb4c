#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::egress_url::check(bytes));
