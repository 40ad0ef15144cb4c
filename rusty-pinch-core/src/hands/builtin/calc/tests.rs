//! What `calc` computes, what it refuses, and that it ends.

use proptest::prelude::*;

use super::*;
use crate::sys::SystemClock;

fn calc(expression: &str) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let running = Arc::new(Semaphore::new(1));
    runtime.block_on(calculate(expression, running, Arc::new(SystemClock))).map_err(|error| error.message().to_owned())
}

#[test]
fn results_are_exact() {
    for (expression, result) in [
        ("17 * 23?", "17 * 23 = 391"),
        ("17*23 =", "17*23 = 391"),
        ("(3+4)*2", "(3+4)*2 = 14"),
        ("0.1 + 0.2", "0.1 + 0.2 = 0.3"),
        ("2 (3 + 4)", "2 (3 + 4) = 14"),
        ("(1+1)(2+2)", "(1+1)(2+2) = 8"),
        ("2^100", "2^100 = 1267650600228229401496703205376"),
        ("15% of 80", "15% of 80 = 12"),
        ("12 x 12", "12 x 12 = 144"),
        ("2 plus 3 times 4", "2 plus 3 times 4 = 14"),
        ("100 divided by 8", "100 divided by 8 = 12.5"),
        ("9 squared", "9 squared = 81"),
        ("3 × 4 ÷ 2 − 1", "3 × 4 ÷ 2 − 1 = 5"),
        ("sqrt(16)", "sqrt(16) = 4"),
        ("1,000 * 3", "1,000 * 3 = 3000"),
        ("5 km to m", "5 km to m = 5000 m"),
        ("6 ft 1 inch to inch", "6 ft 1 inch to inch = 73 inches"),
        ("254 cm in inches", "254 cm in inches = 100 inches"),
        ("log2(8)", "log2(8) ≈ 3"),
        ("1/3", "1/3 ≈ 0.3333333333"),
        ("sqrt 9 (2)", "sqrt 9 (2) = 6"),
        ("0x1d6 + 0", "0x1d6 + 0 = 0x1d6"),
    ] {
        assert_eq!(calc(expression).as_deref(), Ok(result), "{expression}");
    }
}

#[test]
fn what_is_no_arithmetic_is_refused_by_name() {
    for (expression, says) in [
        ("", "empty"),
        ("1/0", "division by zero"),
        ("x = 5", "'='"),
        ("(\\x. x x)(\\x. x x)", "'\\\\'"),
        ("f: 1", "':'"),
        ("1; 2", "';'"),
        ("\"a\"", "'\"'"),
        ("@2020-01-01", "'@'"),
        ("today", "date"),
        ("roll d6", "random"),
        ("3d6", "random"),
        ("1317000d3100", "random"),
        ("2 + (4)d6", "random"),
        ("1e5d6", "random"),
        ("1.5d6", "random"),
        ("3 EUR to USD", "exchange rates"),
        ("2 +", "can't be calculated"),
        ("(1", "no `)`"),
        ("1)", "no `(`"),
        ("1 2/3", "side by side"),
        ("((((((((((1))))))))))", "nested"),
        ("hello", "hello"),
        ("log2 + 1", "function"),
    ] {
        let error = calc(expression).unwrap_err();
        assert!(error.contains(says), "{expression}: {error}");
    }
    assert!(calc(&"1+".repeat(1 << 20)).unwrap_err().contains("characters"));
}

#[test]
fn work_without_end_ends_the_same_way_every_time() {
    for expression in ["9^9^9^9", "2^99999999999", "1e99999999999", "100000!", "fibonacci 100000000"] {
        let error = calc(expression).unwrap_err();
        assert!(error.contains("too much work"), "{expression}: {error}");
    }
    assert!(calc("1000!").unwrap().starts_with("1000! = 40238726"));
    assert!(calc("10^5000").unwrap_err().contains("characters"));
}

/// A clock that goes on by a second whenever somebody looks.
#[derive(Debug, Default)]
struct Hurrying(AtomicU64);

#[async_trait::async_trait]
impl Clock for Hurrying {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
    async fn sleep_until(&self, _: Timestamp) {}
}

#[test]
fn few_checks_that_take_long_end_in_time() {
    // Without a bound of time this one takes minutes, whatever the count of its checks.
    assert!(calc("2e1000!").unwrap_err().contains("too much work"));
    assert!(calc("50!").is_ok());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let late = calculate("50!", Arc::new(Semaphore::new(1)), Arc::new(Hurrying::default()));
    assert!(runtime.block_on(late).unwrap_err().message().contains("too much work"));
}

#[test]
fn the_deepest_expressions_fit_the_stack() {
    for part in ["(1)", "-", "1+", "!", "sin ", "m ", "2^", "1/", "not ", "2ft ", "-(1)", "light "] {
        let _ = calc(&part.repeat(EXPRESSION_CHARS_MAX / part.len()));
    }
}

#[test]
fn dropping_the_call_stops_the_calculation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let running = Arc::new(Semaphore::new(1));
        let calculation = calculate("9^9^9^9", Arc::clone(&running), Arc::new(SystemClock));
        let mut calculation = Box::pin(calculation);
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(calculation.as_mut().poll(cx))).await;
        assert!(polled.is_pending() && running.available_permits() == 0);
        drop(calculation);
        // The permit comes back when the thread ends.
        let ended = tokio::time::timeout(std::time::Duration::from_millis(500), running.acquire()).await;
        assert!(ended.is_ok());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_breaks_it(text in "[0-9a-z+*/^()%!. ,-]{0,80}|\\PC{0,40}") {
        let _ = calc(&text);
    }
}

#[test]
fn a_comma_that_could_be_a_decimal_point_is_refused() {
    for text in ["1,5 + 2", "2,5 * 2", "1.000,5*2", "1,00", "1234,567", "1,,000", "10 + 3,"] {
        let refused = calc(text);
        assert!(refused.as_ref().is_err_and(|why| why.contains("several numbers")), "{text}: {refused:?}");
    }
    for (text, result) in [("1,000.5 * 2", "2001"), ("12,345,678 + 1", "12345679"), ("1.5 + 2", "3.5")] {
        assert_eq!(calc(text).unwrap(), format!("{text} = {result}"));
    }
}
