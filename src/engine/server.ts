import type { CancellationToken, MessageConnection, RequestType } from 'vscode-jsonrpc';
import { BranchRequest, ContinuationRequest } from '../protocol/continuation';
import {
  CandidatesRequest,
  DescribeModelRequest,
  DeviceRunNotification,
  HeadMatrixRequest,
  HeadOverviewRequest,
  LoadModelRequest,
  LoadProgressNotification,
  ModelReportRequest,
  ProbeDeviceRequest,
  ProveDeviceRequest,
  StatusRequest,
  SuggestRequest,
  TokenizeRequest,
  TraceRequest,
} from '../protocol/engine';
import { HeadlightError, toResponseError } from '../protocol/errors';
import { CombinedHeadsRequest, HeadScoresRequest } from '../protocol/heads';
import {
  AttributionRequest,
  EmbeddingRequest,
  HeadStepRequest,
  LensRequest,
  NearestTokensRequest,
  NeuronsRequest,
  NormsRequest,
  SamplerStepsRequest,
  StreamNormsRequest,
  VocabulariesRequest,
  WordMergesRequest,
  WorkedRowRequest,
} from '../protocol/stages';
import { TrainingRequest } from '../protocol/training';
import { endWithParent } from './end-with-parent';
import { IdleWork } from './idle-work';
import { pauseUnlessCancelled } from './inspect/cancellation';
import { describeModel } from './inspect/describe-model';
import { proveDevice } from './inspect/device-proof';
import { Inspector } from './inspect/inspector';
import { tokenizerOf } from './model/load-tokenizer';
import { probeDevice } from './runtime/device-probe';
import type { Turn } from './suggest/remembering-model';

/** Longer than the pause between two questions of a panel that is being drawn. */
const QUIET_MS = 250;

/** Answers the engine's requests (protocol/engine.ts) on a connection, with one model loaded at a time. */
export function serve(connection: MessageConnection): void {
  let inspector: Inspector | null = null;
  /** Loading and running take turns: the runtime works on one thing at a time anyhow, and a load replaces the model. */
  let turn: Promise<unknown> = Promise.resolve();
  const idleWork = new IdleWork(QUIET_MS);

  function inTurn<T>(cancellation: CancellationToken, work: () => Promise<T>): Promise<T> {
    const result = turn.then(async () => {
      await pauseUnlessCancelled(cancellation);
      return work();
    });
    turn = result.catch(() => undefined);
    return result;
  }

  function loaded(): Inspector {
    if (inspector === null) {
      throw new HeadlightError('trace-unknown', 'No model is loaded; inspect the passage again.');
    }
    return inspector;
  }

  /** A turn for each run of the model, so that a trace does not wait for all that is written. */
  function tokenByToken(asked: Inspector, cancellation: CancellationToken): Turn {
    return (work) =>
      inTurn(cancellation, async () => {
        if (inspector !== asked) {
          throw new HeadlightError('cancelled', 'Another model was loaded meanwhile.');
        }
        return work();
      });
  }

  function answer<P, R>(
    type: RequestType<P, R, unknown>,
    handle: (params: P, cancellation: CancellationToken) => R | Promise<R>,
  ): void {
    // By name: a generic type parameter does not fit the overloads that take a `RequestType`.
    connection.onRequest<unknown, unknown>(type.method, async (params: P, cancellation: CancellationToken) => {
      try {
        idleWork.postpone();
        return await handle(params, cancellation);
      } catch (error) {
        throw toResponseError(error);
      }
    });
  }

  answer(LoadModelRequest, ({ directory, device }, cancellation) =>
    inTurn(cancellation, async () => {
      if (device.device !== 'cpu') {
        endWithParent();
      }
      const next = await Inspector.open({
        directory,
        device: device.device,
        deviceReason: device.reason,
        cancellation,
        onProgress: (progress) => void connection.sendNotification(LoadProgressNotification, progress),
        onRun: (tokens) => void connection.sendNotification(DeviceRunNotification, { tokens }),
      });
      if (cancellation.isCancellationRequested) {
        await next.dispose();
      }
      await pauseUnlessCancelled(cancellation);
      idleWork.stop();
      // The model before this one could be used until now.
      await inspector?.dispose();
      inspector = next;
      return next.loaded;
    }),
  );
  answer(ProbeDeviceRequest, async ({ device }) => {
    endWithParent();
    await probeDevice(device);
    return null;
  });
  answer(ProveDeviceRequest, (params) => proveDevice(params));
  answer(DescribeModelRequest, ({ directory }) => describeModel(directory));
  answer(ModelReportRequest, () => loaded().report);
  answer(TokenizeRequest, async ({ directory, text, wanted, readsSpecial }) =>
    (await tokenizerOf(directory)).splitRange(text, wanted, readsSpecial),
  );
  answer(TraceRequest, ({ text, readsSpecial }, cancellation) =>
    inTurn(cancellation, async () => {
      const asked = loaded();
      const trace = await asked.trace(text, cancellation, readsSpecial);
      idleWork.start(asked.stages.preparation(trace.id));
      return trace;
    }),
  );
  answer(BranchRequest, (params, cancellation) =>
    inTurn(cancellation, async () => {
      const asked = loaded();
      const branch = await asked.branch(params, cancellation);
      idleWork.start(asked.stages.preparation(branch.trace.id));
      return branch;
    }),
  );
  answer(HeadOverviewRequest, (params, cancellation) => loaded().headOverview(params, cancellation));
  answer(CombinedHeadsRequest, (params, cancellation) => loaded().combinedHeads(params, cancellation));
  // These may run the model.
  answer(HeadScoresRequest, (params, cancellation) =>
    inTurn(cancellation, () => loaded().scoreHeads(params, cancellation)),
  );
  answer(TrainingRequest, (params, cancellation) =>
    inTurn(cancellation, () => loaded().stages.training(params, cancellation)),
  );
  answer(HeadMatrixRequest, (params) => loaded().headMatrix(params));
  answer(CandidatesRequest, (params) => loaded().candidates(params));
  answer(EmbeddingRequest, (params) => loaded().stages.embedding(params));
  answer(NearestTokensRequest, (params, cancellation) => loaded().stages.nearestTokens(params, cancellation));
  answer(HeadStepRequest, (params) => loaded().stages.headStep(params));
  answer(WorkedRowRequest, (params) => loaded().stages.workedRow(params));
  answer(LensRequest, (params, cancellation) => loaded().stages.lens(params, cancellation));
  answer(AttributionRequest, (params, cancellation) => loaded().stages.attribution(params, cancellation));
  answer(StreamNormsRequest, (params, cancellation) => loaded().stages.streamNorms(params, cancellation));
  answer(WordMergesRequest, (params) => loaded().stages.wordMerges(params));
  answer(VocabulariesRequest, (params, cancellation) => loaded().stages.vocabularies(params, cancellation));
  answer(NormsRequest, (params) => loaded().stages.norms(params));
  answer(NeuronsRequest, (params) => loaded().stages.neurons(params));
  answer(SamplerStepsRequest, (params) => loaded().stages.samplerSteps(params));
  answer(ContinuationRequest, (params, cancellation) => {
    const asked = loaded();
    return asked.continuation(params, tokenByToken(asked, cancellation), cancellation);
  });
  answer(SuggestRequest, (params, cancellation) => {
    const asked = loaded();
    return asked.suggester.suggest(params, cancellation, tokenByToken(asked, cancellation));
  });
  answer(StatusRequest, () => ({
    ...{ pid: process.pid, memoryBytes: process.memoryUsage.rss() },
    ...(inspector?.reading ?? { readTokens: 0, prefixTreeBytes: 0 }),
  }));
  connection.listen();
}
