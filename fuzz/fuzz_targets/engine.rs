#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurora_core::fuzzing::run("engine", data));
