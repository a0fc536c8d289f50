import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settingChanges, settingStatement, wantedSettings } from '../../../shared/database/role-settings.ts';

describe('the settings that a twin should have', () => {
  it("are the base role's, and the role that it acts as", () => {
    const base = { '': ['work_mem=7MB'], shop: ['search_path=a, b'] };
    expect(wantedSettings(base, 'app')).toEqual({ '': ['work_mem=7MB', 'role=app'], shop: ['search_path=a, b'] });
    expect(wantedSettings({}, 'app')).toEqual({ '': ['role=app'] });
  });

  it("are the base role's only, where the twin is to act as itself", () => {
    expect(wantedSettings({ '': ['work_mem=7MB'] }, undefined)).toEqual({ '': ['work_mem=7MB'] });
  });

  it('leave the role alone that the base role itself acts as', () => {
    expect(wantedSettings({ '': ['role=owner'] }, 'app')).toEqual({ '': ['role=owner'] });
    expect(wantedSettings({ '': ['role=none'] }, 'app')).toEqual({ '': ['role=app'] });
    expect(wantedSettings({ '': ['role=owner'], shop: ['role=none'] }, 'app')).toEqual({
      '': ['role=owner'],
      shop: ['role=app'],
    });
  });
});

describe('the settings of a twin in a database that has logins act as a third role', () => {
  it('say that third role, there', () => {
    expect(wantedSettings({}, 'app', { shop: 'owner' })).toEqual({ '': ['role=app'], shop: ['role=owner'] });
    expect(wantedSettings({}, 'app', { '': 'owner' })).toEqual({ '': ['role=owner'] });
    expect(wantedSettings({}, 'app', { '': 'owner', shop: 'seller' })).toEqual({
      '': ['role=owner'],
      shop: ['role=seller'],
    });
    expect(wantedSettings({ shop: ['work_mem=7MB'] }, 'app', { shop: 'owner' })).toEqual({
      '': ['role=app'],
      shop: ['work_mem=7MB', 'role=owner'],
    });
  });

  it("say nothing of it where the base role's own settings count before that", () => {
    expect(wantedSettings({ '': ['role=x'] }, 'app', { shop: 'owner', '': 'owner' })).toEqual({ '': ['role=x'] });
    expect(wantedSettings({ '': ['role=none'] }, 'app', { shop: 'owner' })).toEqual({ '': ['role=app'] });
    expect(wantedSettings({ shop: ['role=x'] }, 'app', { shop: 'owner' })).toEqual({
      '': ['role=app'],
      shop: ['role=x'],
    });
    expect(wantedSettings({ shop: ['role=none'] }, 'app', { '': 'owner' })).toEqual({
      '': ['role=owner'],
      shop: ['role=app'],
    });
  });

  it('are as the base role acts, in every database, whatever is set for whom', () => {
    const role = fc.constantFrom('x', 'y', 'none');
    const databases = fc.constantFrom('', 'shop', 'blog');
    const base = fc.dictionary(databases, role);
    const thirds = fc.dictionary(databases, fc.constantFrom('x', 'y'));
    // What counts first: the role's own setting for the database, then for all, then the database's, then everybody's.
    const actsAs = (own: Record<string, string>, third: Record<string, string>, database: string, name: string) => {
      const said = own[database] ?? own[''] ?? third[database] ?? third[''];
      return said === undefined || said === 'none' ? name : said;
    };
    fc.assert(
      fc.property(base, thirds, databases, (own, third, database) => {
        const settings = Object.fromEntries(Object.entries(own).map(([each, name]) => [each, [`role=${name}`]]));
        const wanted = wantedSettings(settings, 'app', third);
        const twin = Object.fromEntries(
          Object.entries(wanted).flatMap(([each, [setting]]) => (setting ? [[each, setting.slice(5)]] : [])),
        );
        expect(actsAs(twin, third, database, 'app_clone')).toBe(actsAs(own, third, database, 'app'));
      }),
    );
  });
});

describe('databases whose names were made to do harm', () => {
  const HARMFUL = ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty'];

  it.each(HARMFUL)('count as any other: %s', (database) => {
    const third = Object.fromEntries([[database, 'owner']]);
    const own = Object.fromEntries([[database, ['work_mem=7MB']]]);
    expect(Object.entries(wantedSettings({}, 'app', third))).toEqual([
      ['', ['role=app']],
      [database, ['role=owner']],
    ]);
    expect(Object.entries(wantedSettings(own, 'app', third))).toEqual([
      ['', ['role=app']],
      [database, ['work_mem=7MB', 'role=owner']],
    ]);
    expect(Object.entries(wantedSettings(own, 'app'))).toEqual([
      ['', ['role=app']],
      [database, ['work_mem=7MB']],
    ]);
    expect(settingChanges({}, own)).toEqual([{ database, name: 'work_mem', value: '7MB' }]);
    expect(settingChanges(own, {})).toEqual([{ database, name: 'work_mem' }]);
  });

  it('are left alone where they, or what they set, can not be read in this encoding', () => {
    expect(settingChanges({}, { 'caf\ufffd': ['role=app'] })).toEqual([]);
    expect(settingChanges({ 'caf\ufffd': ['role=app'] }, {})).toEqual([]);
    expect(settingChanges({}, { shop: ['search_path=caf\ufffd', 'work_mem=7MB'] })).toEqual([
      { database: 'shop', name: 'work_mem', value: '7MB' },
    ]);
    expect(settingChanges({ shop: ['search_path=caf\ufffd'] }, {})).toEqual([]);
  });
});

describe('what has to change', () => {
  it('is nothing where all is the same', () => {
    const settings = { '': ['work_mem=7MB', 'app.x=a=b'], shop: ['app.x='] };
    expect(settingChanges(settings, settings)).toEqual([]);
    expect(settingChanges({}, {})).toEqual([]);
  });

  it('is what is missing, what differs and what is too much, database by database', () => {
    const from = { '': ['work_mem=7MB', 'app.old=1'], shop: ['app.x=1'], gone: ['app.y=1'] };
    const to = { '': ['work_mem=8MB', 'app.new='], shop: ['app.x=2'] };
    expect(settingChanges(from, to)).toEqual([
      { database: '', name: 'work_mem', value: '8MB' },
      { database: '', name: 'app.new', value: '' },
      { database: '', name: 'app.old' },
      { database: 'shop', name: 'app.x', value: '2' },
      { database: 'gone', name: 'app.y' },
    ]);
  });

  it('keeps an equals sign in a value', () => {
    expect(settingChanges({}, { '': ['app.x=a=b='] })).toEqual([{ database: '', name: 'app.x', value: 'a=b=' }]);
  });

  it.each([
    'seed=0.5',
    'transaction_deferrable=on',
    'transaction_isolation=serializable',
    'transaction_read_only=on',
  ])('is nothing where a setting says nothing of a session, and so is neither copied nor taken back: %s', (setting) => {
    const settings = { '': ['work_mem=7MB', setting], shop: [setting] };
    expect(settingChanges({}, settings)).toEqual([{ database: '', name: 'work_mem', value: '7MB' }]);
    expect(settingChanges(settings, {})).toEqual([{ database: '', name: 'work_mem' }]);
    expect(settingChanges(settings, { '': ['work_mem=7MB'] })).toEqual([]);
  });

  it('leads from any settings to any others', () => {
    const names = fc.constantFrom('work_mem', 'app.x', 'search_path');
    const settings = fc.dictionary(
      fc.constantFrom('', 'shop', 'blog'),
      fc.dictionary(names, fc.string()).map((each) => Object.entries(each).map(([name, value]) => `${name}=${value}`)),
    );
    fc.assert(
      fc.property(settings, settings, (from, to) => {
        const state = flat(from);
        for (const { database, name, value } of settingChanges(from, to)) {
          if (value === undefined) state.delete(`${database}/${name}`);
          else state.set(`${database}/${name}`, value);
        }
        expect(state).toEqual(flat(to));
      }),
    );
  });
});

function flat(settings: Readonly<Record<string, readonly string[]>>): Map<string, string> {
  return new Map(
    Object.entries(settings).flatMap(([database, entries]) =>
      entries.map((entry): [string, string] => {
        const at = entry.indexOf('=');
        return [`${database}/${entry.slice(0, at)}`, entry.slice(at + 1)];
      }),
    ),
  );
}

describe('the statement of a change', () => {
  it.each<[string, string, string]>([
    ['a plain value', 'work_mem', `SET "work_mem" TO '7MB'`],
    ['an empty value', 'app.empty', `SET "app.empty" TO ''`],
    ['a value with quotes and a backslash', 'app.odd', `SET "app.odd" TO  E'O''N\\\\eill "x"'`],
  ])('quotes %s', (_, name, statement) => {
    const value = { work_mem: '7MB', 'app.empty': '', 'app.odd': `O'N\\eill "x"` }[name] ?? '';
    expect(settingStatement('app', { database: '', name, value })).toBe(`ALTER ROLE "app" ${statement}`);
  });

  it('quotes role, database and name', () => {
    const change = { database: 'it"s', name: 'a"b.c', value: '1' };
    expect(settingStatement('a"b', change)).toBe(`ALTER ROLE "a""b" IN DATABASE "it""s" SET "a""b.c" TO '1'`);
    expect(settingStatement('app', { database: '', name: 'app.x' })).toBe('ALTER ROLE "app" RESET "app.x"');
  });

  it.each<[string, string, string]>([
    ['names', '"$user", public', `'$user', 'public'`],
    ['one name with a comma', '"a, b"', `'a, b'`],
    ['quotes in quotes', '"with ""double"" ones", c', `'with "double" ones', 'c'`],
    ['an empty name', '""', `''`],
    ['nothing', '', `''`],
    ['names that nobody quoted, which are in lower case', 'Foo,BAR', `'foo', 'bar'`],
    ['names with capitals', '"Foo", bar', `'Foo', 'bar'`],
  ])('takes a list of %s apart', (_, value, literals) => {
    const change = { database: '', name: 'search_path', value };
    expect(settingStatement('app', change)).toBe(`ALTER ROLE "app" SET "search_path" TO ${literals}`);
  });

  it('keeps the case of files', () => {
    const change = { database: '', name: 'session_preload_libraries', value: 'MyLib, "$libdir/x"' };
    expect(settingStatement('app', change)).toContain(`TO 'MyLib', '$libdir/x'`);
  });
});
