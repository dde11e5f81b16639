//! libFuzzer's way in: one program for all targets, `STOPGAP_FUZZ_TARGET` names the one that runs.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use stopgap_fuzz::{Target, chosen};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| TARGET.get_or_init(chosen)(data));
