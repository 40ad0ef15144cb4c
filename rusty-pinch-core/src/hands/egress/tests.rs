//! The egress against stub resolvers, stub servers and a network that writes down every address it is asked for.

mod addresses;
mod bodies;
mod corpus;
mod redirects;
mod stub;
mod texts;
mod times;
