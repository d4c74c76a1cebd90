export { observedDeadLetters } from './observed-dead-letters.ts';
export { recordsSink } from './records-sink.ts';
export { DrainTimeout, runPipeline, type PipelineObserver, type PipelineOptions } from './run-pipeline.ts';
