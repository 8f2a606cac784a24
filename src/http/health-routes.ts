/** `/healthz` answers while the process lives, `/readyz` while it can serve. */
import type { FastifyInstance } from 'fastify';

export interface HealthOptions {
  isReady(): Promise<boolean>;
}

export const healthRoutes = async (app: FastifyInstance, { isReady }: HealthOptions): Promise<void> => {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const ready = await isReady().catch(() => false);
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
};
