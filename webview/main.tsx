import './panel.css';
import { render } from 'preact';
import { RevealTokenNotification, SnapshotNotification } from '../src/protocol/panel';
import { Branches } from './branches';
import { acquireHost, connectTo } from './connection';
import { EditorLink } from './editor-link';
import { PanelContext } from './panel-context';
import { Questions } from './questions';
import { keepView } from './saved-view';
import { PanelStore } from './state';
import { Panel } from './views/panel';

const host = acquireHost();
const connection = connectTo(host);
const store = new PanelStore(host.getState());
const link = new EditorLink(connection, store);
const questions = new Questions(store, connection);
const branches = new Branches(store, connection, link);
keepView(store, host);

connection.onNotification(SnapshotNotification, (snapshot) => store.receive(snapshot));
connection.onNotification(RevealTokenNotification, ({ index }) => store.update({ revealed: index }));
connection.listen();

render(
  <PanelContext.Provider value={{ store, link, questions, branches, engine: connection }}>
    <Panel />
  </PanelContext.Provider>,
  document.getElementById('root')!,
);
link.ready();
