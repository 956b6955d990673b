import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { takeDenormalsForZero } from './runtime/providers';
import { serve } from './server';

// Without its parent this process has nobody to work for.
process.on('disconnect', () => process.exit(0));

takeDenormalsForZero();
serve(createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process)));
