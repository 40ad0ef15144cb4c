//! Scenarios by name, for the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use crate::answer::Answer;
use crate::chat;
use crate::http::Request;
use crate::reply::Reply;
use crate::responses;

/// The scenarios, as [`Scenario::from_str`] reads them.
pub const SCENARIOS: &str = "say=TEXT, echo, call=TOOL:JSON, status=CODE, status=CODE:RETRY_AFTER, cut=BYTES, html, \
                             silence, close, garbage, endless, endless-headers, drip";
const FILLER_BYTES: usize = 64 * 1024;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Chat completions.
    Chat,
    /// The Responses API.
    Responses,
}

/// What to play for one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Scenario {
    /// Says a text.
    Say(String),
    /// Says what the user said.
    Echo,
    /// Calls a tool when tools are offered, then says its result.
    Call(String, Value),
    /// Fails with a status, and perhaps with a `retry-after`.
    Status(u16, Option<String>),
    /// Says something and breaks off after so many bytes of the body.
    Cut(usize),
    /// Sends a page with status 200.
    Html,
    /// Sends nothing and keeps the connection open.
    Silence,
    /// Closes the connection at once.
    Close,
    /// Sends what is no HTTP.
    Garbage,
    /// Sends a body without end.
    Endless,
    /// Sends headers without end.
    EndlessHeaders,
    /// Sends an answer one byte at a time.
    Drip,
}

/// A word that names no scenario or protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    word: String,
    rule: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not known; choose one of: {}", self.word, self.rule)
    }
}

impl std::error::Error for ScenarioError {}

impl FromStr for Protocol {
    type Err = ScenarioError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "chat" => Ok(Self::Chat),
            "responses" => Ok(Self::Responses),
            _ => Err(ScenarioError { word: word.to_owned(), rule: "chat, responses".to_owned() }),
        }
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let unknown = || ScenarioError { word: word.to_owned(), rule: SCENARIOS.to_owned() };
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        Ok(match name {
            "say" => Self::Say(value.to_owned()),
            "echo" => Self::Echo,
            "call" => {
                let (tool, arguments) = value.split_once(':').unwrap_or((value, "{}"));
                Self::Call(tool.to_owned(), serde_json::from_str(arguments).map_err(|_| unknown())?)
            }
            "status" => {
                let (code, wait) = value.split_once(':').map_or((value, None), |(code, wait)| (code, Some(wait)));
                Self::Status(code.parse().map_err(|_| unknown())?, wait.map(str::to_owned))
            }
            "cut" => Self::Cut(value.parse().map_err(|_| unknown())?),
            "html" => Self::Html,
            "silence" => Self::Silence,
            "close" => Self::Close,
            "garbage" => Self::Garbage,
            "endless" => Self::Endless,
            "endless-headers" => Self::EndlessHeaders,
            "drip" => Self::Drip,
            _ => return Err(unknown()),
        })
    }
}

impl Protocol {
    /// Gives `answer` to `request`.
    pub fn reply(self, request: &Request, answer: &Answer) -> Reply {
        match self {
            Self::Chat => chat::reply(request, answer),
            Self::Responses => responses::reply(request, answer),
        }
    }

    fn offers_tools(self, request: &Request) -> bool {
        match self {
            Self::Chat => chat::offers_tools(request),
            Self::Responses => responses::offers_tools(request),
        }
    }

    fn last_tool_result(self, request: &Request) -> Option<String> {
        match self {
            Self::Chat => chat::last_tool_result(request),
            Self::Responses => responses::last_tool_result(request),
        }
    }

    fn last_user_text(self, request: &Request) -> Option<String> {
        match self {
            Self::Chat => chat::last_user_text(request),
            Self::Responses => responses::last_user_text(request),
        }
    }

    fn error(self, status: u16) -> Reply {
        match self {
            Self::Chat => chat::error(status, "fake_error", "the fake was told to fail"),
            Self::Responses => responses::error(status, "fake_error", "the fake was told to fail"),
        }
    }
}

impl Scenario {
    /// Plays it for `request`.
    pub fn reply(&self, protocol: Protocol, request: &Request) -> Reply {
        let say = |text: &str| protocol.reply(request, &Answer::text(text));
        match self {
            Self::Say(text) => say(text),
            Self::Echo => say(&protocol.last_user_text(request).unwrap_or_default()),
            Self::Call(name, arguments) => match protocol.last_tool_result(request) {
                Some(result) => say(&result),
                None if protocol.offers_tools(request) => protocol.reply(request, &Answer::call(name, arguments)),
                None => say("no tools were offered"),
            },
            Self::Status(status, None) => protocol.error(*status),
            Self::Status(status, Some(wait)) => protocol.error(*status).header("retry-after", wait),
            Self::Cut(bytes) => say("this answer breaks off somewhere before its end").cut_at(*bytes),
            Self::Html => Reply::html(200),
            Self::Silence => Reply::silence(),
            Self::Close => Reply::close(),
            Self::Garbage => Reply::garbage(),
            Self::Endless => Reply::repeating("text/event-stream", vec![b'x'; FILLER_BYTES], u64::MAX),
            Self::EndlessHeaders => Reply::endless_headers(),
            Self::Drip => say("drop by drop").dripping(1, Duration::from_millis(5)),
        }
    }
}
