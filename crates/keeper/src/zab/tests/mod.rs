mod captures;
mod checks;
mod scenarios;
mod simulation;
mod world;
